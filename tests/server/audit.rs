//! The record of commands: every one of them, accepted or refused, leaves a line in the structured log of a server.

use crate::house::{APP, House, REPOSITORY};
use crate::replicas::Replica;
use crate::reviews::row_of;
use serde_json::Value;
use std::fs::{self, File};

#[test]
fn every_command_leaves_a_line_of_the_log() {
    let house = House::new();
    let settings = "version: 1\napprovers: {teams: [shop/security]}\n";
    house.world.commit("main", &[(".github/netpol-review.yml", Some(settings))]);
    house.github.refresh_pull(REPOSITORY, 1);
    house.github.add_to_team("shop/security", "carol");
    let log = house.folder.path().join("log");
    let database = format!("sqlite:{}", house.folder.path().join("audit.db").display());
    let mut server = Replica::new();
    let url = format!("http://127.0.0.1:{}/webhook", server.port);
    house.github.edit_app(APP, |app| app.webhook_url = url);
    server.start_with(&house, &database, "json", File::create(&log).expect("a file").into());
    house.until("it answers", || server.is_up());
    house.expect_one_review("failure");

    let body = house.github.comments(REPOSITORY, 1).remove(0).body;
    let print = row_of(&body).to_string();
    let waive = format!("/netpol-review waive {print} --reason \"the auditors read it\"");
    // Who says what, and what becomes of it.
    let commands = [
        ("stranger", waive.clone(), "waive", &*print, "refused"),
        ("carol", waive, "waive", &*print, "accepted"),
        ("stranger", format!("/netpol-review unwaive {print}"), "unwaive", &*print, "refused"),
        ("stranger", "/netpol-review recheck".into(), "recheck", "", "done"),
        ("stranger", "/netpol-review help".into(), "help", "", "done"),
        ("stranger", "/netpol-review frobnicate".into(), "", "", "not understood"),
        ("carol", format!("/netpol-review unwaive {print}"), "unwaive", &*print, "taken back"),
    ];
    let records = || -> Vec<Value> {
        let text = fs::read_to_string(&log).expect("a log");
        // The last line may not be whole yet.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines = whole.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
        lines.filter(|line: &Value| line["target"] == "audit").collect()
    };
    for (login, body, command, fingerprint, decision) in commands {
        let comment = house.github.add_comment(REPOSITORY, 1, login, &body);
        house.github.send(&house.github.comment_event(REPOSITORY, comment));
        let is_of = |record: &&Value| record["comment"] == comment;
        house.until(&body, || records().iter().any(|record| is_of(&record)));
        let all = records();
        let record = all.iter().find(is_of).expect("a record");
        for (field, value) in [
            ("message", "command"),
            ("level", "INFO"),
            ("repository", REPOSITORY),
            ("actor", login),
            ("command", command),
            ("fingerprint", fingerprint),
            ("decision", decision),
        ] {
            assert_eq!(record[field], value, "{field} of {record}");
        }
        assert_eq!(record["pull"], 1, "{record}");
        // A command that did what it says needs no reason.
        assert!(decision == "done" || record["reason"] != "", "{record}");
        assert!(record["timestamp"].is_string(), "{record}");
    }
    // What nobody commands is nothing to record.
    let words = house.github.add_comment(REPOSITORY, 1, "stranger", "Looks good to me.");
    house.github.send(&house.github.comment_event(REPOSITORY, words));
    house.until_idle();
    assert!(records().iter().all(|record| record["comment"] != words));
    server.kill();
}
