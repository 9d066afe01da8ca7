//! A webhook, the name of its event before the first NUL byte: it is understood or refused, and what it asks for has
//! only names that lead to no other route, no other file and no other row of the queue.

#![no_main]

use libfuzzer_sys::fuzz_target;
use netpol_review::github::RepositoryName;
use netpol_review::server::intake::{Wish, read};
use netpol_review::server::job::Task;
use netpol_review::server::signature::Secrets;
use secrecy::SecretString;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let event = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let body = parts.next().unwrap_or_default();
    let secrets = Secrets::new(vec![SecretString::from("secret")]).expect("a secret");
    assert!(!secrets.signed(event.as_bytes(), body), "nobody guesses a signature");
    let Ok(wishes) = read(&event, body) else { return };
    for wish in wishes {
        let Wish::Do(job) = wish else { continue };
        let named = RepositoryName::new(&job.place.name).is_some();
        assert!(named || job.task == Task::Installation, "{job:?}");
        if let Task::Head(head) | Task::Group { head, .. } = &job.task {
            assert!(head.bytes().all(|byte| byte.is_ascii_hexdigit()), "{job:?}");
        }
        let text = serde_json::to_string(&job.task).expect("JSON");
        assert_eq!(serde_json::from_str::<Task>(&text).expect("a task"), job.task);
    }
});
