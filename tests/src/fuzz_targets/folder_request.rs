//! A file that somebody put into `req/`.

use daemon::domain::folder_file::RequestKind;
use daemon::domain::identifiers::InstitutionCode;
use daemon::folders::intake::{Asked, LONGEST, read};

/// Any file, as each kind of request.
///
/// What is read keeps the rules of its values; what is refused repeats nothing but an institution's code and an identifier
/// that a consumer could have written; and the same bytes are always read alike.
pub fn folder_request(bytes: &[u8]) {
    let institution = InstitutionCode::parse("1312345678").expect("ten digits");
    for kind in [RequestKind::Single, RequestKind::Bulk, RequestKind::BulkOutcome] {
        let outcome = read(kind, bytes, &institution);
        assert_eq!(outcome, read(kind, bytes, &institution), "read in two ways");
        let identifier = match &outcome {
            Ok(request) => &request.identifier,
            Err(refused) => &refused.identifier,
        };
        if let Some(identifier) = identifier {
            assert!((1..=128).contains(&identifier.chars().count()), "an identifier of any length");
            assert!(!identifier.chars().any(char::is_control), "an identifier with control characters");
        }
        match outcome {
            Ok(request) => {
                assert!(bytes.len() <= LONGEST, "too long and read");
                match (kind, request.asked) {
                    (RequestKind::Single, Asked::Single(_)) => {}
                    (RequestKind::Bulk, Asked::Bulk(items)) => {
                        assert!((1..=10_000).contains(&items.len()), "a bulk of any size");
                    }
                    (RequestKind::BulkOutcome, Asked::BulkOutcome(bulk)) => {
                        assert!(bulk.is_none_or(|bulk| bulk.0 >= 0), "a receipt number below zero");
                    }
                    (kind, asked) => panic!("{kind:?} asked for {asked:?}"),
                }
            }
            Err(refused) => {
                let message = refused.fault.message();
                assert!(message.ends_with('。') && message.len() < 512, "{message}");
            }
        }
    }
}
