//! The integration tests: one binary, because linking is what costs.
#![allow(clippy::large_futures, clippy::format_collect, reason = "tests run once: what matters is that they read well")]

mod cli_demo;
mod decision_fixture;
mod decision_properties;
mod decision_rights;
#[allow(dead_code, reason = "the stage offers more than each test uses")]
mod exchange_stage;
mod export_command;
mod export_files;
mod export_mutations;
mod export_properties;
mod export_stage;
mod faults_kill;
mod faults_listener;
mod faults_markers;
mod faults_races;
mod faults_store;
mod faults_zero_grace;
mod layering;
mod ledger_faults;
mod ledger_properties;
mod ledger_sequencer;
mod ledger_stage;
mod message_envelope;
mod message_fixture;
mod message_objects;
mod message_properties;
mod message_rfc7520;
mod message_rfc9901;
mod message_story;
mod openapi;
mod policy_examples;
mod policy_load;
mod policy_matrix;
mod policy_rulings;
mod readme;
mod refusal_routes;
#[allow(dead_code, reason = "the stage offers more than each test uses")]
mod refusal_stage;
mod schema_catalogue;
mod schema_checks;
mod store_contract;
mod tlog_oracles;
mod tlog_properties;
mod tlog_store;
mod tlog_vectors;
mod tls_deadlines;
mod tls_door;
mod tls_readme;
mod tls_reload;
mod tls_stage;
