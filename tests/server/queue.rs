//! The queue's promises, on SQLite and on PostgreSQL.

use crate::postgres;
use netpol_review::server::intake::Wish;
use netpol_review::server::job::{Job, Place, Task};
use netpol_review::server::queue::{ATTEMPTS, Accepted, Claimed, Life, Pause, Queue};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

fn pull(installation: i64, number: u64) -> Job {
    let name = format!("octo/shop{installation}");
    Job::new(Place { installation, repository: installation * 10, name }, Task::Pull(number))
}

/// A database: its address, and what keeps it.
pub struct Database {
    pub url: String,
    _folder: Option<TempDir>,
}

/// Both kinds, or the one that there is.
pub fn databases() -> Vec<Database> {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("queue.db").display());
    let file = Database { url, _folder: Some(folder) };
    let server = postgres::database().map(|url| Database { url, _folder: None });
    [Some(file), server].into_iter().flatten().collect()
}

/// Runs a test on each kind of database.
pub fn on_each<F: Future<Output = ()>>(test: impl Fn(String) -> F) {
    for database in databases() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.expect("a runtime").block_on(test(database.url.clone()));
    }
}

async fn open(url: &str, me: &str) -> Arc<Queue> {
    Queue::open(url, me).await.expect("a queue")
}

async fn accept(queue: &Queue, guid: &str, job: Job) -> Accepted {
    queue.accept(guid, vec![Wish::Do(job)]).await.expect("it is written down")
}

async fn claim(queue: &Queue) -> Option<Claimed> {
    queue.claim(i64::MAX).await.expect("the queue can be asked")
}

#[test]
fn a_delivery_counts_once_and_a_job_is_one_however_often_it_is_asked_for() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        assert_eq!(accept(&queue, "g1", pull(1, 7)).await, Accepted::New);
        assert_eq!(accept(&queue, "g1", pull(1, 7)).await, Accepted::Known);
        assert_eq!(accept(&queue, "g2", pull(1, 7)).await, Accepted::New);
        let claimed = claim(&queue).await.expect("a job");
        assert_eq!(claimed.job, pull(1, 7));
        assert_eq!(claimed.generation, 2);
        assert_eq!(claim(&queue).await, None, "it is one");
        queue.done(&claimed).await.expect("done");
        assert_eq!(claim(&queue).await, None);
        assert_eq!(accept(&queue, "g2", pull(1, 7)).await, Accepted::Known);
        assert_eq!(claim(&queue).await, None, "a redelivery does nothing twice");
    });
}

#[test]
fn a_job_knows_the_delivery_that_asked_for_it_last() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        queue.ensure(&[pull(1, 7)]).await.expect("written");
        let found = claim(&queue).await.expect("a job");
        assert_eq!(found.delivery, None);
        accept(&queue, "g1", pull(1, 7)).await;
        accept(&queue, "g2", pull(1, 7)).await;
        queue.ask(&[pull(1, 7)]).await.expect("written");
        queue.done(&found).await.expect("done");
        let asked = claim(&queue).await.expect("the newer one");
        assert_eq!(asked.delivery.as_deref(), Some("g2"));
    });
}

#[test]
fn what_is_asked_for_while_it_is_worked_on_is_done_once_more() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        accept(&queue, "g1", pull(1, 7)).await;
        let first = claim(&queue).await.expect("a job");
        accept(&queue, "g2", pull(1, 7)).await;
        assert_eq!(claim(&queue).await, None, "one pull request is worked on by one at a time");
        queue.done(&first).await.expect("done");
        let second = claim(&queue).await.expect("the newer one");
        assert_eq!((second.generation, second.attempt), (2, 1));
        queue.done(&second).await.expect("done");
        assert_eq!(claim(&queue).await, None);
    });
}

#[test]
fn events_that_come_together_are_all_written_down() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        let events = (0..500).map(|number| {
            let queue = queue.clone();
            // Each is delivered twice, at the same time.
            tokio::spawn(async move {
                accept(&queue, &format!("g{}", number / 2), pull(1, number / 2)).await
            })
        });
        let mut new = 0;
        for event in events.collect::<Vec<_>>() {
            let accepted = event.await.expect("it ends");
            new += usize::from(accepted == Accepted::New);
        }
        assert!((250..=500).contains(&new));
        let mut seen = BTreeSet::new();
        while let Some(claimed) = claim(&queue).await {
            assert_eq!(claimed.generation, 1);
            assert!(seen.insert(claimed.key.clone()));
            queue.done(&claimed).await.expect("done");
        }
        assert_eq!(seen.len(), 250);
    });
}

#[test]
fn what_was_accepted_is_there_after_the_end_of_a_process() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        accept(&queue, "g1", pull(1, 7)).await;
        let held = claim(&queue).await.expect("a job");
        accept(&queue, "g2", pull(1, 8)).await;
        // It never says that it ends.
        drop(queue);
        let next = open(&url, "b").await;
        let mut keys: BTreeSet<String> = BTreeSet::new();
        if url.starts_with("postgres") {
            assert_eq!(claim(&next).await.map(|one| one.key), Some("pull/10/8".into()));
            assert_eq!(claim(&next).await, None, "the other process may live");
            next.beat(Duration::ZERO).await.expect("a first look at its counter");
            assert_eq!(
                next.beat(Duration::ZERO).await.expect("a second one"),
                Life::Well(vec!["a".into()])
            );
            keys.insert("pull/10/8".into());
        }
        while let Some(claimed) = claim(&next).await {
            if claimed.key == held.key {
                assert_eq!(claimed.attempt, 2, "whatever ends processes is not tried for ever");
            }
            keys.insert(claimed.key);
        }
        assert_eq!(keys, BTreeSet::from(["pull/10/7".into(), "pull/10/8".into()]));
    });
}

#[test]
fn a_process_that_was_given_up_notices_and_can_do_no_harm() {
    on_each(|url| async move {
        if !url.starts_with("postgres") {
            return;
        }
        let (slow, other) = (open(&url, "slow").await, open(&url, "other").await);
        accept(&slow, "g1", pull(1, 7)).await;
        let held = claim(&slow).await.expect("a job");
        other.beat(Duration::ZERO).await.expect("a beat");
        assert_eq!(
            other.beat(Duration::ZERO).await.expect("a beat"),
            Life::Well(vec!["slow".into()])
        );
        let taken = claim(&other).await.expect("the job of the other");
        assert_eq!(taken.key, held.key);
        assert_eq!(slow.held().await.expect("asked"), Vec::<String>::new());
        slow.done(&held).await.expect("it may say what it wants");
        assert_eq!(other.held().await.expect("asked").len(), 1);
        assert_eq!(slow.beat(Duration::ZERO).await.expect("a beat"), Life::GivenUp);
        assert_eq!(slow.beat(Duration::from_secs(60)).await.expect("a beat"), Life::Well(vec![]));
    });
}

#[test]
fn failures_are_tried_again_and_then_put_aside() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        accept(&queue, "g1", pull(1, 7)).await;
        let mut claimed = claim(&queue).await.expect("a job");
        assert!(queue.failed(&claimed, "no answer").await.expect("noted"));
        assert_eq!(claim(&queue).await, None, "not at once");
        assert_eq!(queue.count().await.expect("counted").later, 1);
        claimed.attempt = ATTEMPTS;
        accept(&queue, "g2", pull(1, 7)).await;
        let again = claim(&queue).await.expect("somebody asked for it");
        assert_eq!(again.attempt, 1, "which counts from the beginning");
        claimed.generation = again.generation;
        assert!(!queue.failed(&claimed, "no answer").await.expect("noted"));
        let dead = queue.dead().await.expect("listed");
        assert_eq!(dead.len(), 1);
        assert_eq!((dead[0].key.as_str(), dead[0].error.as_str()), ("pull/10/7", "no answer"));
        assert_eq!(dead[0].job, pull(1, 7));
        assert_eq!(claim(&queue).await, None);
        assert!(queue.retry("pull/10/7").await.expect("asked"));
        assert!(!queue.retry("pull/10/7").await.expect("asked"), "it is not put aside any more");
        assert_eq!(claim(&queue).await.map(|one| one.attempt), Some(1));
    });
}

#[test]
fn installations_take_turns_and_none_takes_all() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        for number in 0..6 {
            accept(&queue, &format!("big{number}"), pull(1, number)).await;
        }
        accept(&queue, "small", pull(2, 1)).await;
        let mut order = Vec::new();
        while let Some(claimed) = queue.claim(3).await.expect("asked") {
            order.push(claimed.job.place.installation);
        }
        assert_eq!(order, [1, 2, 1, 1], "the small one goes second, and one may hold three");
    });
}

#[test]
fn nobody_waits_for_what_only_makes_sure() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        let place = pull(1, 0).place;
        let scan = Job::new(place.clone(), Task::Repository);
        let base = Job::new(place, Task::Base("main".into()));
        queue.ensure(&[scan.clone(), base.clone()]).await.expect("written");
        accept(&queue, "g1", pull(1, 7)).await;
        let mut order = Vec::new();
        while let Some(claimed) = claim(&queue).await {
            order.push(claimed.job);
        }
        assert_eq!(order, [pull(1, 7), base, scan]);
    });
}

#[test]
fn ensuring_changes_nothing_that_is_there_and_revives_what_was_put_aside() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        accept(&queue, "g1", pull(1, 7)).await;
        let mut claimed = claim(&queue).await.expect("a job");
        queue.ensure(&[pull(1, 7)]).await.expect("written");
        claimed.attempt = ATTEMPTS;
        queue.failed(&claimed, "no").await.expect("noted");
        queue.ensure(&[pull(1, 7), pull(1, 8)]).await.expect("written");
        assert_eq!(queue.dead().await.expect("listed"), []);
        let first = claim(&queue).await.expect("a job");
        assert_eq!((first.generation, first.attempt), (1, 1));
        assert!(claim(&queue).await.is_some());
    });
}

#[test]
fn what_one_of_several_wishes_means_stays() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        // Whether they are written together or one after the other.
        let wishes = vec![Wish::Do(pull(1, 7).again()), Wish::Do(pull(1, 7).one_of_many())];
        queue.accept("g1", wishes).await.expect("written");
        accept(&queue, "g2", pull(1, 7)).await;
        assert_eq!(claim(&queue).await.map(|one| one.job), Some(pull(1, 7).again()));
    });
}

#[test]
fn an_event_may_ask_for_very_much() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        let wishes = (0..8_000).map(|number| Wish::Do(pull(1, number))).collect();
        assert_eq!(queue.accept("g1", wishes).await.expect("written"), Accepted::New);
        assert_eq!(queue.count().await.expect("counted").waiting, 8_000);
    });
}

#[test]
fn who_is_asked_for_again_and_again_keeps_its_place() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        for number in [7, 8] {
            accept(&queue, &format!("g{number}"), pull(1, number)).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        accept(&queue, "g9", pull(1, 7)).await;
        assert_eq!(claim(&queue).await.map(|one| one.key), Some("pull/10/7".into()));
        assert_eq!(claim(&queue).await.map(|one| one.key), Some("pull/10/8".into()));
    });
}

#[test]
fn a_limit_of_an_hour_holds_for_the_whole_installation() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        accept(&queue, "g1", pull(1, 7)).await;
        accept(&queue, "g2", pull(1, 8)).await;
        accept(&queue, "g3", pull(2, 7)).await;
        let hour = Duration::from_secs(3_600);
        let limited = claim(&queue).await.expect("a job");
        queue.pause(1, Pause::All, hour);
        queue.hand_back(&limited, hour).await.expect("handed back");
        assert_eq!(claim(&queue).await.map(|one| one.key), Some("pull/20/7".into()));
        assert_eq!(claim(&queue).await, None, "nothing of the other is asked for meanwhile");
        assert_eq!(queue.paused(), 1);
        // What little is left is for what somebody waits for.
        let scan = Job::new(pull(2, 0).place, Task::Repository);
        queue.ensure(&[scan]).await.expect("written");
        queue.pause(2, Pause::Background, hour);
        assert_eq!(claim(&queue).await, None);
        accept(&queue, "g4", pull(2, 9)).await;
        assert_eq!(claim(&queue).await.map(|one| one.key), Some("pull/20/9".into()));
    });
}

#[test]
fn what_this_process_has_forgotten_is_free_again() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        accept(&queue, "g1", pull(1, 7)).await;
        accept(&queue, "g2", pull(1, 8)).await;
        let first = claim(&queue).await.expect("a job");
        claim(&queue).await.expect("a job");
        assert_eq!(queue.held().await.expect("asked"), ["pull/10/7", "pull/10/8"]);
        queue.free(std::slice::from_ref(&first.key)).await.expect("freed");
        assert_eq!(queue.held().await.expect("asked"), ["pull/10/8"]);
        assert_eq!(claim(&queue).await.map(|one| (one.key, one.attempt)), Some((first.key, 2)));
    });
}

#[test]
fn a_head_that_came_back_is_a_new_one() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        for (guid, head, earlier, moved) in [
            ("g1", "one", None, false),
            ("g2", "one", Some("one"), false),
            ("g3", "two", Some("one"), true),
            ("g4", "one", Some("two"), true),
            ("g5", "one", Some("one"), false),
        ] {
            accept(&queue, guid, pull(1, 7)).await;
            let claimed = claim(&queue).await.expect("a job");
            let noted = queue.head(&claimed, head).await.expect("noted");
            assert_eq!((noted.0.as_deref(), noted.1), (earlier, moved), "{guid}");
            // Also for the next try, that finds the head as it was noted.
            queue.hand_back(&claimed, Duration::ZERO).await.expect("handed back");
            let claimed = claim(&queue).await.expect("the same");
            let noted = queue.head(&claimed, head).await.expect("noted");
            assert_eq!((noted.0.as_deref(), noted.1), (Some(head), moved), "{guid}");
            queue.done(&claimed).await.expect("done");
        }
    });
}

#[test]
fn one_round_is_enough_for_all_servers() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        let (hour, none) = (Duration::from_secs(3_600), Duration::ZERO);
        assert!(queue.begins("round", hour).await.expect("asked"));
        assert!(!queue.begins("round", hour).await.expect("asked"));
        assert!(queue.begins("another", hour).await.expect("asked"));
        assert!(queue.begins("round", none).await.expect("asked"), "who starts looks at once");
    });
}

#[test]
fn a_suspended_installation_has_nothing_to_do() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        accept(&queue, "g1", pull(1, 7)).await;
        accept(&queue, "g2", pull(2, 7)).await;
        let wishes = vec![Wish::Forget { installation: 1 }];
        queue.accept("g3", wishes).await.expect("written");
        assert_eq!(claim(&queue).await.map(|one| one.job.place.installation), Some(2));
        assert_eq!(claim(&queue).await, None);
    });
}

#[test]
fn leaving_hands_everything_back() {
    on_each(|url| async move {
        let queue = open(&url, "a").await;
        accept(&queue, "g1", pull(1, 7)).await;
        claim(&queue).await.expect("a job");
        queue.leave().await.expect("left");
        drop(queue);
        let next = open(&url, "b").await;
        let claimed = claim(&next).await.expect("the job");
        assert_eq!(claimed.attempt, 1, "it was not begun");
        next.hand_back(&claimed, Duration::ZERO).await.expect("handed back");
        assert_eq!(claim(&next).await.map(|one| one.attempt), Some(1));
    });
}

#[test]
fn two_processes_never_hold_the_same() {
    on_each(|url| async move {
        if !url.starts_with("postgres") {
            return;
        }
        let queues = [open(&url, "a").await, open(&url, "b").await];
        for number in 0..120 {
            accept(&queues[0], &format!("g{number}"), pull(number % 5 + 1, number.unsigned_abs()))
                .await;
        }
        let workers = (0..8).map(|worker| {
            let queue = queues[worker % 2].clone();
            tokio::spawn(async move {
                let mut keys = Vec::new();
                while let Some(claimed) = claim(&queue).await {
                    keys.push(claimed.key.clone());
                    queue.done(&claimed).await.expect("done");
                }
                keys
            })
        });
        let mut all = Vec::new();
        for worker in workers.collect::<Vec<_>>() {
            all.extend(worker.await.expect("it ends"));
        }
        let different: BTreeSet<&String> = all.iter().collect();
        assert_eq!((all.len(), different.len()), (120, 120));
    });
}

/// While servers are replaced an older one may start once more on tables that a newer one brought up to date.
#[test]
fn a_step_of_a_newer_version_stops_nobody() {
    on_each(|url| async move {
        open(&url, "newer").await.close().await;
        let pool = sqlx::AnyPool::connect(&url).await.expect("a database");
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             SELECT 99, 'newer', success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1",
        )
        .execute(&pool)
        .await
        .expect("written");
        pool.close().await;
        let queue = open(&url, "older").await;
        assert_eq!(accept(&queue, "g1", pull(1, 7)).await, Accepted::New);
    });
}
