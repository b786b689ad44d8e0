//! One test per file. A file that is not named here fails a test of its own.

use crate::scenario::Scenario;
use std::collections::BTreeSet;

/// Failures that are shown.
const SHOWN: usize = 5;

fn read(source: &str) -> Scenario {
    Scenario::parse(source).unwrap_or_else(|error| panic!("{error}"))
}

fn holds(source: &str) {
    let scenario = read(source);
    if scenario.is_long() {
        return;
    }
    let mut failures = Vec::new();
    let mut outcomes = Vec::new();
    for seed in scenario.few_seeds() {
        let outcome = scenario.run_untraced(*seed);
        let told = outcome.failures.iter();
        failures.extend(told.map(|failure| format!("seed {seed}: {failure}")));
        outcomes.push(outcome);
    }
    if let Some(bug) = scenario.open() {
        assert!(!failures.is_empty(), "mended, so take `open` out: {bug}");
        return;
    }
    failures.truncate(SHOWN);
    assert_eq!(failures, Vec::<String>::new());
    assert_eq!(Scenario::idle(&outcomes), Vec::<String>::new());
}

/// The trace of the machines alone is that of real hosts under real supervisors.
#[cfg(feature = "conformance")]
fn is_equal_on_hosts(source: &str) {
    let scenario = read(source);
    assert!(scenario.on_hosts());
    let seeds = scenario.seeds();
    let most = if scenario.is_long() { 1 } else { 3 };
    for seed in seeds.iter().step_by(seeds.len().div_ceil(most)) {
        let machines = scenario.run(*seed).report;
        let hosts = scenario.run_on_hosts(*seed).report;
        assert_eq!(machines, hosts, "seed {seed}");
        assert!(machines.trace_events > 100, "something happened");
    }
}

#[test]
fn the_examples_of_the_documentation_hold() {
    let page = include_str!("../../../../docs/SIMULATION.md");
    let examples: Vec<&str> = page
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert_eq!(examples.len(), 2, "as many as the page has");
    for example in examples {
        holds(example);
    }
}

fn names_in_folder() -> BTreeSet<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    std::fs::read_dir(folder)
        .expect("the folder of scenarios")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.to_string_lossy().trim_end_matches(".toml").to_owned())
        .collect()
}

macro_rules! files {
    (all: $($name:literal => $test:ident,)+; hosts: $($on_hosts:ident,)+) => {
        $(
            #[test]
            fn $test() {
                holds(include_str!(concat!("../../../scenarios/", $name, ".toml")));
            }
        )+

        #[test]
        fn every_file_of_the_folder_is_a_test() {
            let named = BTreeSet::from([$($name.to_owned()),+]);
            assert_eq!(names_in_folder(), named);
        }

        /// What each test's file is.
        #[cfg(feature = "conformance")]
        fn file_of(test: &str) -> &'static str {
            match test {
                $(stringify!($test) =>
                    include_str!(concat!("../../../scenarios/", $name, ".toml")),)+
                other => panic!("no file {other}"),
            }
        }

        #[cfg(feature = "conformance")]
        mod equal_in_both_tiers {
            $(
                #[test]
                fn $on_hosts() {
                    super::is_equal_on_hosts(super::file_of(stringify!($on_hosts)));
                }
            )+

            #[test]
            fn every_file_that_asks_for_hosts_is_here() {
                let named = [$(stringify!($on_hosts)),+];
                for (test, source) in super::all() {
                    let asks = super::read(source).on_hosts();
                    assert_eq!(asks, named.contains(&test), "{test}");
                }
            }
        }

        #[cfg(feature = "conformance")]
        fn all() -> Vec<(&'static str, &'static str)> {
            let tests = [$(stringify!($test)),+];
            tests.iter().map(|test| (*test, file_of(test))).collect()
        }
    };
}

files! {
    all:
    "01_authors_that_nobody_has_met" => authors_that_nobody_has_met,
    "01_late_join_sees_everything" => late_join_sees_everything,
    "02_late_join_cost_is_the_difference" => late_join_cost_is_the_difference,
    "03_join_30s_after_publish" => join_30s_after_publish,
    "04_flap_gets_caught_up" => flap_gets_caught_up,
    "06_mass_join" => mass_join,
    "07_half_the_mesh_returns" => half_the_mesh_returns,
    "08_deleted_stays_deleted" => deleted_stays_deleted,
    "09_gossip_off_isolates" => gossip_off_isolates,
    "11_bulk_edit_is_one_publish" => bulk_edit_is_one_publish,
    "15_skewed_clock_does_not_win" => skewed_clock_does_not_win,
    "16_future_stamp_is_parked_until_due" => future_stamp_is_parked_until_due,
    "18_forged_record_refused" => forged_record_refused,
    "22_link_lost_at_every_step_of_the_handshake" => link_lost_at_every_step_of_the_handshake,
    "22_lost_in_silence" => lost_in_silence,
    "22_rough_paths" => rough_paths,
    "23_one_sided_active_never" => one_sided_active_never,
    "24_half_open_link_detected" => half_open_link_detected,
    "25_event_of_an_old_session_is_inert" => event_of_an_old_session_is_inert,
    "26_simultaneous_dial" => simultaneous_dial,
    "26_two_links_never_cost_a_session" => two_links_never_cost_a_session,
    "27_oversize_and_garbage_frames" => oversize_and_garbage_frames,
    "27_unknown_frames_are_skipped" => unknown_frames_are_skipped,
    "27_replies_that_are_none" => replies_that_are_none,
    "28_silent_stream_stalls_nobody" => silent_stream_stalls_nobody,
    "29_a_client_that_pauses" => a_client_that_pauses,
    "29_a_peer_that_stops_reading" => a_peer_that_stops_reading,
    "29_answers_that_nobody_reads" => answers_that_nobody_reads,
    "29_slow_reader" => slow_reader,
    "30_back_while_another_came" => back_while_another_came,
    "30_graceful_leave_then_rejoin" => graceful_leave_then_rejoin,
    "31_clocks_that_are_off" => clocks_that_are_off,
    "31_clocks_far_apart" => clocks_far_apart,
    "31_freeze_and_resume" => freeze_and_resume,
    "31_a_busy_node_is_not_asleep" => a_busy_node_is_not_asleep,
    "32_no_redial_storm" => no_redial_storm,
    "32_refused_for_good" => refused_for_good,
    "33_nat_matrix_blocked" => nat_matrix_blocked,
    "33_nat_matrix_blocked_asker" => nat_matrix_blocked_asker,
    "33_nat_matrix_direct" => nat_matrix_direct,
    "33_nat_matrix_filtered" => nat_matrix_filtered,
    "33_nat_matrix_relayed" => nat_matrix_relayed,
    "33_nat_matrix_upgraded" => nat_matrix_upgraded,
    "33_nat_matrix_unreflected" => nat_matrix_unreflected,
    "34_mapping_expiry" => mapping_expiry,
    "34_served_from_behind_a_box" => served_from_behind_a_box,
    "34_sleeper_behind_a_box" => sleeper_behind_a_box,
    "34_sleeping_machine_behind_a_box" => sleeping_machine_behind_a_box,
    "35_rebind_mid_stream" => rebind_mid_stream,
    "35_server_rebinds" => server_rebinds,
    "36_a_box_that_maps_by_address" => a_box_that_maps_by_address,
    "36_a_neighbour_has_the_address" => a_neighbour_has_the_address,
    "36_identical_private_addresses" => identical_private_addresses,
    "37_relay_first_direct_later" => relay_first_direct_later,
    "42_revoked_though_the_disk_is_slow" => revoked_though_the_disk_is_slow,
    "42_revoked_though_the_roster_crashes" => revoked_though_the_roster_crashes,
    "49_server_killed_mid_stream" => server_killed_mid_stream,
    "49_server_killed_within_a_stop_string" => server_killed_within_a_stop_string,
    "50_a_lost_step_among_prompts" => a_lost_step_among_prompts,
    "50_an_engine_that_only_says_it_moves" => an_engine_that_only_says_it_moves,
    "50_server_freezes" => server_freezes,
    "50_server_wedges" => server_wedges,
    "50_slow_prefill_is_no_silence" => slow_prefill_is_no_silence,
    "51_killed_before_the_first_text" => killed_before_the_first_text,
    "51_killed_with_no_other_holder" => killed_with_no_other_holder,
    "51_only_holder_crashes_at_every_try" => only_holder_crashes_at_every_try,
    "51_only_holder_stands_still" => only_holder_stands_still,
    "52_cancel_in_every_phase" => cancel_in_every_phase,
    "52_cancel_in_prefill" => cancel_in_prefill,
    "52_cancel_in_the_queue" => cancel_in_the_queue,
    "53_busy_everywhere" => busy_everywhere,
    "54_engine_crashes_under_load" => engine_crashes_under_load,
    "54_engine_keeps_dying" => engine_keeps_dying,
    "54_engine_process_killed" => engine_process_killed,
    "55_the_last_holder_leaves" => last_holder_leaves,
    "55_model_unloaded_on_both_sides" => model_unloaded_on_both_sides,
    "56_advertised_caps_are_enforced_where_served" => advertised_caps_are_enforced_where_served,
    "57_lost_reordered_duplicated_token_frames" => lost_reordered_duplicated_token_frames,
    "58_drain" => drain,
    "67_every_actor_killed_at_every_step" => every_actor_killed_at_every_step,
    "67_the_gateway_is_killed" => the_gateway_is_killed,
    "67_transport_falls_while_it_is_greeted" => transport_falls_while_it_is_greeted,
    "67_the_request_itself_is_killed" => the_request_itself_is_killed,
    "68_slow_client_fast_engine" => slow_client_fast_engine,
    "69_gossip_frame_with_extreme_fields" => gossip_frame_with_extreme_fields,
    "80_one_ticket_one_mesh" => one_ticket_one_mesh,
    "81_half_of_a_mesh_dies" => half_of_a_mesh_dies,
    "82_a_session_in_use_stays" => a_session_in_use_stays,
    "83_a_cut_mesh_grows_together" => a_cut_mesh_grows_together,
    "84_fifty_nodes_and_a_server_dies" => fifty_nodes_and_a_server_dies,
    "85_half_of_fifty_is_cut_off" => half_of_fifty_is_cut_off,
    "86_fifty_nodes_serve_while_some_die" => fifty_nodes_serve_while_some_die,
    "87_a_server_dies_among_few_neighbours" => a_server_dies_among_few_neighbours,
    "88_a_model_again_after_a_cut" => a_model_again_after_a_cut,
    ;
    hosts:
    join_30s_after_publish,
    flap_gets_caught_up,
    deleted_stays_deleted,
    gossip_off_isolates,
    bulk_edit_is_one_publish,
    forged_record_refused,
    link_lost_at_every_step_of_the_handshake,
    lost_in_silence,
    half_open_link_detected,
    event_of_an_old_session_is_inert,
    oversize_and_garbage_frames,
    unknown_frames_are_skipped,
    replies_that_are_none,
    silent_stream_stalls_nobody,
    a_client_that_pauses,
    a_peer_that_stops_reading,
    answers_that_nobody_reads,
    slow_reader,
    graceful_leave_then_rejoin,
    clocks_that_are_off,
    freeze_and_resume,
    a_busy_node_is_not_asleep,
    mapping_expiry,
    served_from_behind_a_box,
    rebind_mid_stream,
    relay_first_direct_later,
    revoked_though_the_disk_is_slow,
    server_killed_mid_stream,
    server_freezes,
    server_wedges,
    slow_prefill_is_no_silence,
    killed_with_no_other_holder,
    cancel_in_every_phase,
    cancel_in_prefill,
    busy_everywhere,
    engine_crashes_under_load,
    engine_process_killed,
    model_unloaded_on_both_sides,
    last_holder_leaves,
    advertised_caps_are_enforced_where_served,
    lost_reordered_duplicated_token_frames,
    drain,
    every_actor_killed_at_every_step,
    slow_client_fast_engine,
    a_session_in_use_stays,
}
