//! The daemon's desk in front of a real pcscd: one scenario for every row of what was measured of PC/SC's errors.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use daemon::app::ports::{CardDesk as _, CardError, CardService, ReaderName, ReaderState};
use harness::card::Faults;
use harness::card::vpcd::Event;
use harness::front_desk::{
    FrontDesk, assert_signed_by, card_of, card_on, descriptors_and_threads, nothing_is_left_behind,
};
use harness::lane as private;
use pcsc::{Context, Disposition, Protocols, Scope, ShareMode};
use rustix::process::{Pid, Signal, kill_process};

use crate::lane;
use crate::shikakud::Desk;

const A: &str = "Desk A 00 00";
const B: &str = "Desk B 01 00";

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}

/// Another program's connection to a reader.
fn other_program(reader: &str, mode: ShareMode) -> pcsc::Card {
    let context = Context::establish(Scope::System).expect("pcscd answers");
    let name = std::ffi::CString::new(reader).expect("a name");
    context.connect(&name, mode, Protocols::ANY).expect("the card is free")
}

//------------ Cards --------------------------------------------------------------------------------------------------

#[test]
fn a_card_pulled_at_any_command_sees_at_most_one_verify_and_is_served_at_the_next_tap() {
    let test = "readers::a_card_pulled_at_any_command_sees_at_most_one_verify_and_is_served_at_the_next_tap";
    lane::run_with_readers(test, &["Desk A"], |lane| {
        block_on(async {
            let desk = FrontDesk::open();
            let link = lane.insert_into("Desk A", card_of("taro"));
            let card = link.card();
            let mut event = desk.serves(A, None, "taro").await;
            let before = descriptors_and_threads();
            for tear_executes in [false, true] {
                for index in 0..5 {
                    {
                        let mut card = card.lock().expect("the card");
                        card.clear_log();
                        card.set_faults(Faults {
                            tear_after: Some(index),
                            tear_executes,
                            ..Faults::default()
                        });
                    }
                    assert_eq!(desk.sign(&event, "1234").await.err(), Some(CardError::Removed), "at {index}");
                    let verifies = card.lock().expect("the card").verify_count();
                    let expected = usize::from(index > 3 || (index == 3 && tear_executes));
                    assert_eq!(verifies, expected, "torn out at {index}");
                    link.insert();
                    event = desk.serves(A, Some(&event), "taro").await;
                }
            }
            nothing_is_left_behind(before).await;
            assert!(desk.contexts.high_water() <= 2, "{}", desk.contexts.high_water());
        });
    });
}

#[test]
fn a_card_flapping_on_the_reader_is_served_as_soon_as_it_lies_still() {
    let test = "readers::a_card_flapping_on_the_reader_is_served_as_soon_as_it_lies_still";
    lane::run_with_readers(test, &["Desk A"], |lane| {
        block_on(async {
            let desk = FrontDesk::open();
            let link = lane.insert_into("Desk A", card_of("taro"));
            let mut event = desk.serves(A, None, "taro").await;
            let before = descriptors_and_threads();
            for flap in 0..20 {
                link.remove();
                if flap % 2 == 0 {
                    desk.empty(A).await;
                }
                link.insert();
                // Not waited for on every second flap: the next removal may come before anyone has seen the card.
                if flap % 4 < 2 {
                    event = desk.card(A, Some(&event)).await;
                }
            }
            // The desk may still be seeing the flaps before.
            let last = desk.serves_once_still(A, &event, "taro").await;
            assert_eq!(desk.sign(&event, "1234").await.err(), Some(CardError::Removed));
            assert!(last.insertion > event.insertion);
            nothing_is_left_behind(before).await;
        });
    });
}

#[test]
fn vpcds_reader_with_its_slow_poll_recovers_from_a_torn_card_too() {
    lane::run("readers::vpcds_reader_with_its_slow_poll_recovers_from_a_torn_card_too", |lane| {
        block_on(async {
            let reader = private::READER.to_str().expect("a name");
            let desk = FrontDesk::open();
            let link = lane.insert(card_of("taro"));
            let event = desk.serves(reader, None, "taro").await;
            let card = link.card();
            card.lock().expect("the card").set_faults(Faults { tear_after: Some(3), ..Faults::default() });
            assert_eq!(desk.sign(&event, "1234").await.err(), Some(CardError::Removed));
            link.insert();
            desk.serves(reader, Some(&event), "taro").await;
        });
    });
}

//------------ Other programs -----------------------------------------------------------------------------------------

#[test]
fn a_card_that_another_program_resets_between_sessions_is_served_as_the_same_card() {
    let test = "readers::a_card_that_another_program_resets_between_sessions_is_served_as_the_same_card";
    lane::run_with_readers(test, &["Desk A"], |lane| {
        block_on(async {
            let desk = FrontDesk::open();
            let _link = lane.insert_into("Desk A", card_of("taro"));
            let event = desk.serves(A, None, "taro").await;
            for disposition in [Disposition::ResetCard, Disposition::UnpowerCard, Disposition::LeaveCard] {
                let other = other_program(A, ShareMode::Shared);
                other.disconnect(disposition).map_err(|(_, error)| error).expect("disconnects");
                assert_signed_by(desk.sign(&event, "1234").await, "taro");
            }
            assert_eq!(card_on(&desk.desk.watch().borrow(), A), Some(event));
        });
    });
}

#[test]
fn a_card_in_use_by_another_program_is_refused_in_time_and_waited_for_a_moment() {
    let test = "readers::a_card_in_use_by_another_program_is_refused_in_time_and_waited_for_a_moment";
    lane::run_with_readers(test, &["Desk A", "Desk B"], |lane| {
        block_on(async {
            let desk = FrontDesk::open();
            let link = lane.insert_into("Desk A", card_of("taro"));
            let _neighbour = lane.insert_into("Desk B", card_of("hanako"));
            let event = desk.serves(A, None, "taro").await;
            let commands = || link.card().lock().expect("the card").apdu_count();
            let before = commands();

            let exclusive = other_program(A, ShareMode::Exclusive);
            let (refused, neighbour) =
                tokio::join!(desk.sign(&event, "1234"), desk.serves(B, None, "hanako"));
            assert_eq!(refused.err(), Some(CardError::InUse));
            assert_eq!(neighbour.reader.0, B, "the other desk works meanwhile");
            drop(exclusive);

            // A transaction would block a connection without limit (PCSC#254).
            let mut shared = other_program(A, ShareMode::Shared);
            let transaction = shared.transaction().expect("nobody else is there");
            assert_eq!(desk.sign(&event, "1234").await.err(), Some(CardError::InUse));
            assert_eq!(commands(), before, "the card heard nothing");
            drop(transaction);

            // A program that looks at the card for a moment is waited for.
            let signing = desk.sign(&event, "1234");
            let leaving =
                tokio::task::spawn_blocking(move || shared.disconnect(Disposition::LeaveCard).is_ok());
            let (signed, left) = tokio::join!(signing, leaving);
            assert!(left.expect("no panic"));
            assert_signed_by(signed, "taro");
        });
    });
}

//------------ pcscd --------------------------------------------------------------------------------------------------

#[test]
fn pcscd_may_be_killed_or_ended_and_comes_back_with_new_card_events() {
    let test = "readers::pcscd_may_be_killed_or_ended_and_comes_back_with_new_card_events";
    lane::run_with_readers(test, &["Desk A"], |lane| {
        block_on(async {
            let desk = FrontDesk::open();
            let _link = lane.insert_into("Desk A", card_of("taro"));
            let mut event = desk.serves(A, None, "taro").await;
            let before = descriptors_and_threads();
            for round in 0..5 {
                if round % 2 == 0 {
                    lane.stop_pcscd();
                } else {
                    lane.terminate_pcscd();
                }
                desk.shows(|view| view.service == CardService::Gone).await;
                let error = desk.sign(&event, "1234").await.err();
                assert_eq!(error, Some(CardError::ServiceUnavailable), "round {round}");
                lane.start_pcscd();
                event = desk.serves(A, Some(&event), "taro").await;
            }
            nothing_is_left_behind(before).await;
            assert!(desk.contexts.high_water() <= 4);
        });
    });
}

#[test]
fn pcscd_killed_in_a_session_ends_it_with_at_most_one_verify() {
    let test = "readers::pcscd_killed_in_a_session_ends_it_with_at_most_one_verify";
    lane::run_with_readers(test, &["Desk A"], |lane| {
        block_on(async {
            let desk = FrontDesk::open();
            let pcscd = lane.pcscd();
            let armed = Arc::new(AtomicBool::new(false));
            let trigger = Arc::clone(&armed);
            // Killed by the card in its answer to VERIFY, so that the answer never arrives.
            let on_event = move |event| {
                if matches!(event, Event::Command(record) if record.is_verify())
                    && trigger.swap(false, Ordering::SeqCst)
                {
                    kill_process(pcscd, Signal::KILL).expect("pcscd runs");
                }
            };
            let link = lane.insert_watched("Desk A", card_of("taro"), on_event);
            let event = desk.serves(A, None, "taro").await;
            link.card().lock().expect("the card").clear_log();
            armed.store(true, Ordering::SeqCst);
            assert_eq!(desk.sign(&event, "1234").await.err(), Some(CardError::ServiceUnavailable));
            assert_eq!(link.card().lock().expect("the card").verify_count(), 1);
            lane.stop_pcscd();
            lane.start_pcscd();
            desk.serves(A, Some(&event), "taro").await;
        });
    });
}

#[test]
fn a_pcscd_that_hangs_is_shown_as_gone_and_its_session_goes_on_once() {
    let test = "readers::a_pcscd_that_hangs_is_shown_as_gone_and_its_session_goes_on_once";
    lane::run_with_readers(test, &["Desk A"], |lane| {
        block_on(async {
            let desk = FrontDesk::open();
            let pcscd = lane.pcscd();
            let armed = Arc::new(AtomicBool::new(false));
            let trigger = Arc::clone(&armed);
            let on_event = move |event| {
                if matches!(event, Event::Command(record) if record.is_verify())
                    && trigger.swap(false, Ordering::SeqCst)
                {
                    kill_process(pcscd, Signal::STOP).expect("pcscd runs");
                }
            };
            let link = lane.insert_watched("Desk A", card_of("taro"), on_event);
            let event = desk.serves(A, None, "taro").await;
            link.card().lock().expect("the card").clear_log();
            armed.store(true, Ordering::SeqCst);
            let thaw = async {
                desk.shows(|view| view.service == CardService::Gone).await;
                let error = desk.sign(&event, "1234").await.err();
                assert_eq!(error, Some(CardError::ServiceUnavailable), "at once, not after its deadline");
                lane.thaw_pcscd();
            };
            let (signed, ()) = tokio::join!(desk.sign(&event, "1234"), thaw);
            assert_signed_by(signed, "taro");
            assert_eq!(link.card().lock().expect("the card").verify_count(), 1);
            // What lay there meanwhile is not known: the card counts as a new one.
            desk.serves(A, Some(&event), "taro").await;
        });
    });
}

//------------ Readers ------------------------------------------------------------------------------------------------

#[test]
fn an_unplugged_reader_is_told_apart_hinders_no_other_and_comes_back() {
    let test = "readers::an_unplugged_reader_is_told_apart_hinders_no_other_and_comes_back";
    lane::run_with_readers(test, &["Desk A", "Desk B"], |lane| {
        block_on(async {
            let desk = FrontDesk::open();
            let armed = Arc::new(AtomicBool::new(false));
            let trigger = Arc::clone(&armed);
            let on_event = move |event| {
                if matches!(event, Event::Command(record) if record.is_verify())
                    && trigger.swap(false, Ordering::SeqCst)
                {
                    private::unplug("Desk A");
                }
            };
            let link = lane.insert_watched("Desk A", card_of("taro"), on_event);
            let _neighbour = lane.insert_into("Desk B", card_of("hanako"));
            let event = desk.serves(A, None, "taro").await;
            let neighbour = desk.serves(B, None, "hanako").await;

            let name = ReaderName(A.to_owned());
            lane.unplug("Desk A");
            desk.shows(|view| view.state(&name) == Some(&ReaderState::Unavailable)).await;
            assert_eq!(desk.sign(&event, "1234").await.err(), Some(CardError::ReaderUnavailable));
            assert_signed_by(desk.sign(&neighbour, "1234").await, "hanako");
            lane.plug_in("Desk A");
            let event = desk.serves(A, Some(&event), "taro").await;

            link.card().lock().expect("the card").clear_log();
            armed.store(true, Ordering::SeqCst);
            let error = desk.sign(&event, "1234").await.err();
            // Which of the two it is depends on what pcscd notices first.
            assert!(
                matches!(error, Some(CardError::ReaderUnavailable | CardError::Removed)),
                "unplugged in a session: {error:?}"
            );
            assert_eq!(link.card().lock().expect("the card").verify_count(), 1);
            assert_signed_by(desk.sign(&neighbour, "1234").await, "hanako");
            lane.plug_in("Desk A");
            desk.serves(A, Some(&event), "taro").await;
        });
    });
}

#[test]
fn two_desks_are_served_side_by_side_each_with_its_own_card() {
    let test = "readers::two_desks_are_served_side_by_side_each_with_its_own_card";
    lane::run_with_readers(test, &["Desk A", "Desk B"], |lane| {
        block_on(async {
            let desk = FrontDesk::open();
            let a = lane.insert_into("Desk A", card_of("taro"));
            let b = lane.insert_into("Desk B", card_of("hanako"));
            let (on_a, on_b) = tokio::join!(desk.serves(A, None, "taro"), desk.serves(B, None, "hanako"));
            for _ in 0..10 {
                let (first, second) = tokio::join!(desk.sign(&on_a, "1234"), desk.sign(&on_b, "1234"));
                assert_signed_by(first, "taro");
                assert_signed_by(second, "hanako");
            }
            for link in [&a, &b] {
                assert_eq!(link.card().lock().expect("the card").verify_count(), 11);
            }
            assert!(desk.contexts.high_water() <= 3, "one that watches and one for each session");
        });
    });
}

#[test]
fn readers_come_and_go_with_pcscd_and_may_come_back_under_another_number() {
    let test = "readers::readers_come_and_go_with_pcscd_and_may_come_back_under_another_number";
    lane::run_with_readers(test, &[], |lane| {
        block_on(async {
            let desk = FrontDesk::open();
            desk.shows(|view| view.service_available() && view.readers.is_empty()).await;
            let mut before = None;
            for (readers, name) in
                [(&["Desk A"][..], A), (&["Desk B", "Desk A"], "Desk A 01 00"), (&["Desk A", "Desk B"], A)]
            {
                lane.stop_pcscd();
                lane.configure_readers(readers);
                lane.start_pcscd();
                let _link = lane.insert_into("Desk A", card_of("taro"));
                before = Some(desk.serves(name, before.as_ref(), "taro").await);
                assert_eq!(desk.desk.watch().borrow().readers.len(), readers.len());
            }
        });
    });
}

//------------ The machine --------------------------------------------------------------------------------------------

/// Everything stands still and goes on, as when the machine sleeps; meanwhile the card is another one. The reader has
/// another number than in the configuration, as after it was plugged in again.
#[test]
fn a_card_swapped_while_the_machine_sleeps_is_a_new_card() {
    let test = "readers::a_card_swapped_while_the_machine_sleeps_is_a_new_card";
    lane::run_with_readers(test, &["Desk A"], |lane| {
        block_on(async {
            let desk = Desk::with_reader("Desk A 07 00", "info").await;
            let running = desk.run();
            let first = lane.insert_into("Desk A", card_of("taro"));
            let visitor = desk.visitor().await;
            assert_eq!(visitor.check_with_pin("1234").await["phase"], "done", "{}", running.log());
            let served = first.card().lock().expect("the card").apdu_count();

            let daemon = i32::try_from(running.id()).ok().and_then(Pid::from_raw).expect("a process");
            lane.freeze_pcscd();
            kill_process(daemon, Signal::STOP).expect("it runs");
            first.remove();
            let second = lane.insert_into("Desk A", card_of("hanako"));
            kill_process(daemon, Signal::CONT).expect("it runs");
            lane.thaw_pcscd();

            // The card that gave a result must be gone before the next check takes one.
            let done = visitor.check_with_pin("1234").await;
            assert_eq!(done["phase"], "done", "{done}\n{}", running.log());
            assert_eq!(done["reader"], A);
            assert_eq!(second.card().lock().expect("the card").verify_count(), 1);
            assert_eq!(first.card().lock().expect("the card").apdu_count(), served, "not asked again");
        });
    });
}
