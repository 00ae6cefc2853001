//! The single integration binary: linking costs more than running.

#![expect(clippy::expect_used, reason = "test support: what does not hold ends the test with the reason")]

mod card;
mod charset;
mod clinic;
mod contract;
mod doctor;
mod durability;
mod exchanges;
mod folders;
mod formats;
mod fuzz;
mod lane;
mod links;
mod monitoring;
mod opensc;
mod outage;
mod passkeys;
mod pcsc_lane;
mod properties;
mod queue;
mod readers;
mod readme;
mod rules;
mod sandbox;
mod schedules;
mod service_manager;
mod shikakud;
mod shikakud_alone;
mod shikakud_audit;
mod shikakud_control;
mod shikakud_disk;
mod shikakud_service;
mod shikakud_setup;
mod shikakud_support;
mod shikakud_terminal;
mod sim_card;
mod store;
mod tidy;
mod upstream;
