//! Exports over the store: what is read ahead waits for a client that may be slow.

use std::sync::Arc;

use daemon::app::access::Actor;
use daemon::app::ports::{AuditSource, ReadyResult, ResultQuery, Role, StoredResult};
use daemon::app::results::{Exporter, Readable, Results, Start};
use daemon::app::tasks::Tasks;

use super::support::{Machine, at, insert, person};

/// An export that has read both results ahead, a second before the month ends in which the older one may be kept.
async fn begun<T: Readable>(results: &Arc<Results>) -> Exporter<T> {
    let source = AuditSource::Api { loopback: true, session: None };
    let actor = Actor { account: "uketsuke".to_owned(), role: Role::Operator, source };
    let now = at("2026-07-31T14:59:59Z");
    results.export(&actor, ResultQuery::default(), Start::Newest, None, now).await.expect("an export")
}

#[tokio::test]
async fn what_was_read_ahead_and_has_expired_since_does_not_leave() {
    let machine = Machine::at("2026-06-20T03:00:00Z");
    let running = machine.start().await;
    let june = insert(&running.store, "a", "2026-06-20T03:00:00Z", person("資格 太郎", "1")).await;
    machine.clock.set(at("2026-07-31T14:59:59Z"));
    let july = insert(&running.store, "b", "2026-07-31T14:00:00Z", person("資格 花子", "2")).await;
    let (store, tasks) = (running.store.clone(), Tasks::default());
    let results = Arc::new(Results { audit: store.clone(), store, tasks: tasks.clone() });

    let mut in_time = begun::<ReadyResult>(&results).await;
    let rows = in_time.next().await.expect("rows").expect("a chunk");
    assert_eq!(rows.iter().map(Readable::id).collect::<Vec<_>>(), [july, june]);

    let (mut ready, mut opened) =
        (begun::<ReadyResult>(&results).await, begun::<StoredResult>(&results).await);
    machine.clock.set(at("2026-07-31T15:00:00Z"));
    let rows = ready.next().await.expect("rows").expect("a chunk");
    assert_eq!(rows.iter().map(Readable::id).collect::<Vec<_>>(), [july]);
    let rows = opened.next().await.expect("rows").expect("a chunk");
    assert_eq!(rows.iter().map(Readable::id).collect::<Vec<_>>(), [july]);
    assert_eq!(ready.total(), 2, "as many as there were when it began");
    assert!(ready.next().await.expect("rows").is_none());
    drop((in_time, ready, opened, results));
    tasks.finish().await;
    running.stop().await;
}
