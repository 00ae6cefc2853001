//! Readers as the receipt computer sees them: which one a check uses, and what is said when the service refuses.

use harness::clinic::{OpenClinic, READER};
use serde_json::{Value, json};

async fn refusal(open: &OpenClinic, request: &Value) -> (u16, String) {
    let reply = open.visitor.post("/v1/checks", request).await;
    (reply.status, if reply.status == 201 { String::new() } else { reply.code() })
}

#[tokio::test]
async fn a_reader_plugged_in_again_under_another_number_is_still_the_one_that_was_named() {
    let open = OpenClinic::with(|plan| plan.readers = vec!["Sony RC-S300/P 01 00", "ACS ACR39U 00 00"]).await;
    let named = json!({ "method": "card_pin", "reader": "Sony RC-S300/P 00 00" });
    let check = open.visitor.post("/v1/checks", &named).await.json();
    assert_eq!(check["reader"], "Sony RC-S300/P 01 00");
    assert_eq!(refusal(&open, &named).await, (409, "reader_busy".to_owned()), "one reader under both names");
}

#[tokio::test]
async fn slots_of_one_device_need_no_name_and_several_devices_do() {
    let unnamed = json!({ "method": "card_pin" });
    let open = OpenClinic::with(|plan| plan.readers = vec![READER, "Simulated Reader 00 01"]).await;
    open.clinic.tap("taro");
    assert_eq!(open.visitor.check_with_pin("1234").await["reader"], READER);

    let open = OpenClinic::with(|plan| plan.readers = vec![READER, "Simulated Reader 01 00"]).await;
    open.clinic.tap("taro");
    assert_eq!(refusal(&open, &unnamed).await, (409, "reader_required".to_owned()));
}

#[tokio::test]
async fn a_service_that_refuses_us_is_told_with_who_can_help() {
    let open = OpenClinic::at_noon().await;
    open.clinic.readers.refuse_service();
    let health = async {
        while open.visitor.get("/v1/health").await.json()["card"]["code"] != "card_service_refused" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), health)
        .await
        .expect("health follows the readers");
    let refused = open.visitor.post("/v1/checks", &json!({ "method": "card_pin" })).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "card_service_refused"));
    assert_eq!(refused.json()["who"], "administrator");

    open.clinic.readers.start_service();
    let check = async {
        while refusal(&open, &json!({ "method": "card_pin" })).await.0 != 201 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), check).await.expect("it reconnects by itself");
}
