//! Wire forms as vendors see them: results of people of every kind, a failed check, a problem. Clock and randomness are
//! held, so the whole text stands still.

use harness::clinic::OpenClinic;
use harness::personas::Personas;
use insta::assert_snapshot;

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON")
}

async fn result_of(persona: &str) -> String {
    let open = OpenClinic::at_noon().await;
    open.clinic.tap(persona);
    let pin = &Personas::builtin().by_name(persona).expect("a persona").card.pin;
    let done = open.visitor.check_with_pin(pin).await;
    assert_eq!(done["phase"], "done", "{done}");
    pretty(&open.visitor.get(&format!("/v1/results/{}", done["result_id"])).await.json())
}

#[tokio::test]
async fn results_of_the_manuals_cases() {
    for persona in [
        "taro",
        "late-elderly",
        "elderly-recipient",
        "assistance-unknown-birth",
        "alias",
        "withheld-part",
        "not-found",
        "multiple",
        "unknown-code",
        "expires-soon",
    ] {
        assert_snapshot!(format!("result-{persona}"), result_of(persona).await);
    }
}

#[tokio::test]
async fn a_failed_check_and_a_problem() {
    let open = OpenClinic::at_noon().await;
    open.clinic.tap("taro");
    let failed = open.visitor.check_with_pin("9999").await;
    assert_snapshot!("check-wrong-pin", pretty(&failed));
    let problem = open.visitor.get("/v1/results?from=2026-02-30").await;
    assert_snapshot!("problem-impossible-date", pretty(&problem.json()));
    assert_snapshot!("readers", pretty(&open.visitor.get("/v1/readers").await.json()));
    assert_snapshot!("health", pretty(&open.visitor.get("/v1/health").await.json()));
}
