//! What the front desk writes down: wire ↔ use case.

use api::service::{Answer, Caller, DeskService};
use api::wire as w;
use async_trait::async_trait;

use super::wire::{jst, same_words};
use super::{UseCases, actor, errors};
use crate::app::ports::{ChecklistRecord, IncidentRecord, TerminalId};
use crate::domain::check::ResultId;
use crate::domain::checklist::{Done, Group, Item};
use crate::domain::incident::{Incident, Kind, Measure};

const DEFAULT_LIMIT: u32 = 100;

same_words!(item, item_from, Item as ChecklistItemName { Updates, Antivirus, Lock, Ledger, Training });
same_words!(kind, kind_from, Kind as IncidentKind { AnotherPersonShown, IdentityInDoubt });
same_words!(measure, measure_from, Measure as IncidentMeasure {
    CallCentreContacted, DocumentsAskedFor, CheckedAgain, ConfirmedOtherwise, InsurerAsked
});

fn line(of: Item) -> w::ChecklistItem {
    let group = match of.group() {
        Group::OnTheDevice => w::ChecklistGroup::OnTheDevice,
        Group::InTheFacility => w::ChecklistGroup::InTheFacility,
    };
    w::ChecklistItem { item: item(of), group, text: of.text().to_owned() }
}

fn record(record: ChecklistRecord) -> w::ChecklistRecord {
    w::ChecklistRecord {
        recorded_at: jst(record.at),
        recorded_by: record.by,
        terminal: record.terminal.map(|terminal| terminal.0),
        done: record.done.items().iter().copied().map(item).collect(),
    }
}

fn checklist(records: Vec<ChecklistRecord>) -> w::Checklist {
    w::Checklist {
        items: Item::ALL.iter().copied().map(line).collect(),
        records: records.into_iter().map(record).collect(),
    }
}

fn incident(record: IncidentRecord) -> w::Incident {
    w::Incident {
        id: record.id,
        recorded_at: jst(record.at),
        recorded_by: record.by,
        terminal: record.terminal.map(|terminal| terminal.0),
        kind: kind(record.incident.kind),
        result: record.incident.result.map(|id| id.0),
        measures: record.incident.measures.into_iter().map(measure).collect(),
    }
}

#[async_trait]
impl DeskService for UseCases {
    async fn checklist(&self, caller: &Caller) -> Answer<w::Checklist> {
        let records = self.desk_records.checklists(&actor(caller)).await;
        records.map(checklist).map_err(errors::desk_records)
    }

    async fn record_checklist(&self, caller: &Caller, new: w::NewChecklistRecord) -> Answer<w::Checklist> {
        let session = self.live_session(caller)?;
        let ticked: Vec<Item> = new.done.into_iter().map(item_from).collect();
        let terminal = new.terminal.map(TerminalId);
        let kept = self.desk_records.record_checklist(&session, terminal, &Done::new(&ticked)).await;
        kept.map_err(errors::desk_records)?;
        self.checklist(caller).await
    }

    async fn record_incident(&self, caller: &Caller, new: w::NewIncident) -> Answer<w::Incident> {
        let session = self.live_session(caller)?;
        let happened = Incident {
            kind: kind_from(new.kind),
            result: new.result.map(ResultId),
            measures: new.measures.into_iter().map(measure_from).collect(),
        };
        let terminal = new.terminal.map(TerminalId);
        let kept = self.desk_records.record_incident(&session, terminal, &happened).await;
        kept.map(incident).map_err(errors::desk_records)
    }

    async fn incidents(&self, caller: &Caller, query: w::IncidentQuery) -> Answer<w::IncidentPage> {
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
        let page = self.desk_records.incidents(&actor(caller), query.before, limit).await;
        let (incidents, next_before) = page.map_err(errors::desk_records)?;
        Ok(w::IncidentPage { incidents: incidents.into_iter().map(incident).collect(), next_before })
    }
}
