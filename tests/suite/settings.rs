//! `.github/netpol-review.yml`: what it means, and what is said of mistakes.

use netpol_review::config::{Demand, HostNetworkPods, IpBlocksMatchPods, Who};
use netpol_review::report::{CauseKind, Severity};
use netpol_review::settings::profile::Profile;
use netpol_review::settings::{
    CommentWhen, FailOn, Mode, Settings, SettingsError, parse, parse_bytes,
};
use proptest::prelude::*;

/// Everything that can be written.
pub const FULL: &str = "\
version: 1
paths: [deploy, ./apps/]
defaultNamespace: shop
inventory: [./cluster/prod.yaml, elsewhere.json]
mode: warn
failOn: medium
severity: {isolation-lost: critical, workload-added: low}
protected:
  namespaces: [payments]
  ranges: [10.9.0.0/16, \"fd00::/8\"]
cluster:
  profile: cilium
  podCIDRs: [10.244.0.0/16]
  serviceCIDRs: [10.96.0.0/12]
  nodeCIDRs: [192.168.0.0/24]
  ipBlocksMatchPods: always
  hostNetworkPods: pods
  endPort: false
approvers:
  users: [ada]
  teams: [example/security]
  codeowners: true
  author: false
waivers:
  # The first one.
  - fingerprint: 0123456789ABCDEF0123456789ABCDEF
    reason: the partner's scanner
    expires: 2027-01-31
    by: ada
  - {fingerprint: 0123456789abcdef0123456789abcdef, reason: \" for ever \"}
comment: {when: on-failure, inline: false}
limits: {nodes: 2000000}
guardrails:
  - id: payments-never-from-internet
    severity: critical
    deny: {from: {internet: true}, to: {namespace: payments}, enforce: always}
  - id: db-only-from-api
    deny:
      from: {any: true, except: [{namespace: shop, labels: {app: api}}]}
      to: {namespace-labels: {team: pay}, labels: {app: db}}
      ports: [TCP/5432, TCP/8000-8100]
  - id: web-must-reach-api
    must-reach: {from: {labels: {app: web}}, to: {addresses: [203.0.113.0/24]}}
  - id: pci-frozen
    frozen: {to: {namespace: pci}, approvers: [ada, example/security]}
    environments: [production]
";

fn errors(text: &str) -> Vec<SettingsError> {
    parse(text).expect_err(text)
}

#[test]
fn everything_that_can_be_written_counts() {
    let settings = parse(FULL).expect("a good file");
    let nets = |nets: &[ipnet::IpNet]| nets.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(settings.paths, ["deploy", "apps"]);
    assert_eq!(settings.inventory, ["cluster/prod.yaml", "elsewhere.json"]);
    assert_eq!((settings.mode, settings.fail_on), (Mode::Warn, Some(FailOn::Medium)));
    assert_eq!(settings.severity.get("isolation-lost"), Some(&Severity::Critical));
    let config = &settings.config;
    assert_eq!(config.default_namespace, "shop");
    assert_eq!(config.least_severity.get(&CauseKind::IsolationLost), Some(&Severity::Critical));
    assert_eq!(config.least_severity.get(&CauseKind::WorkloadAdded), Some(&Severity::Low));
    assert!(config.protected.namespaces.contains("payments"));
    assert_eq!(nets(&config.protected.ranges), ["10.9.0.0/16", "fd00::/8"]);
    assert_eq!(nets(&config.pod_ranges), ["10.244.0.0/16"]);
    assert_eq!(nets(&config.service_ranges), ["10.96.0.0/12"]);
    assert_eq!(nets(&config.node_ranges), ["192.168.0.0/24"]);
    // Keys beat the profile, which sets the rest.
    assert_eq!(config.ip_blocks_match_pods, IpBlocksMatchPods::Always);
    assert_eq!(config.host_network_pods, HostNetworkPods::Pods);
    assert_eq!((config.end_port, config.sctp), (false, false));
    assert_eq!(config.node_budget, 2_000_000);
    assert_eq!(settings.approvers.users, ["ada"]);
    assert_eq!(settings.approvers.teams, ["example/security"]);
    assert!(settings.approvers.codeowners && !settings.approvers.author);
    let [first, second] = settings.waivers.as_slice() else { panic!("two waivers") };
    assert_eq!((first.fingerprint.as_str(), first.line), ("0123456789abcdef0123456789abcdef", 26));
    assert_eq!(first.expires.map(|day| day.to_string()).as_deref(), Some("2027-01-31"));
    assert_eq!((first.by.as_deref(), second.expires), (Some("ada"), None));
    assert_eq!((second.reason.as_str(), second.line), ("for ever", 30));
    assert_eq!((settings.comment.when, settings.comment.inline), (CommentWhen::OnFailure, false));
}

#[test]
fn guardrails_are_read() {
    let config = parse(FULL).expect("a good file").config;
    let [never, only, reach, frozen] = config.guardrails.as_slice() else {
        panic!("{:?}", config.guardrails)
    };
    let severities = (never.severity, only.severity);
    assert_eq!(severities, (Severity::Critical, Severity::High));
    assert_eq!(never.demand, Demand::Deny { always: true });
    assert_eq!((&*never.file, never.line), (".github/netpol-review.yml", 34));
    // What the cluster uses itself is no Internet.
    let Who::Internet { without } = &never.from.who else { panic!("{:?}", never.from) };
    for range in ["10.0.0.0/8", "10.244.0.0/16", "10.96.0.0/12", "192.168.0.0/24"] {
        assert!(without.contains(&range.parse().expect("a range")), "{range}");
    }
    assert_eq!(only.demand, Demand::Deny { always: false });
    assert_eq!(only.from.who, Who::Any);
    assert_eq!(only.from.except[0].to_string(), "namespace shop, labels app=api");
    assert_eq!(only.to.who.to_string(), "namespace-labels team=pay, labels app=db");
    let ports = only.ports.iter().map(|span| (span.protocol.as_str(), span.first, span.last));
    assert_eq!(ports.collect::<Vec<_>>(), [("TCP", 5432, 5432), ("TCP", 8000, 8100)]);
    assert_eq!(reach.demand, Demand::MustReach);
    assert_eq!(reach.from.who.to_string(), "labels app=web");
    assert_eq!(reach.to.who.to_string(), "addresses 203.0.113.0/24");
    let approvers = vec!["ada".to_string(), "example/security".to_string()];
    assert_eq!((&frozen.demand, &frozen.from.who), (&Demand::Frozen { approvers }, &Who::Any));
    // Of an environment that is several names for one cluster, one of them will do.
    let of = |name: &str| config.in_environment(name).guardrails.len();
    assert_eq!([of("production"), of("blue + production"), of("staging")], [4, 4, 3]);
}

#[test]
fn mistakes_in_guardrails_are_said_with_their_place() {
    let cases = [
        ("{deny: {to: {any: true}}}", (3, 6), "`id` is missing"),
        ("{id: a b, deny: {to: {any: true}}}", (3, 10), "1 to 63"),
        ("{id: a}", (3, 5), "one of `deny`"),
        ("{id: a, deny: {to: {any: true}}, frozen: {to: {any: true}}}", (3, 5), "one of `deny`"),
        ("{id: a, deny: {}}", (3, 5), "`from`, `to` or both"),
        ("{id: a, must-reach: {to: {any: true}}}", (3, 26), "`from` is missing"),
        ("{id: a, deny: {to: {}}}", (3, 24), "it names nobody"),
        ("{id: a, deny: {to: {any: false}}}", (3, 24), "write `true`"),
        ("{id: a, deny: {to: {any: true, internet: true}}}", (3, 24), "not several"),
        ("{id: a, deny: {to: {internet: true, labels: {a: b}}}}", (3, 24), "not several"),
        ("{id: a, deny: {to: {namespace: A}}}", (3, 36), "1 to 63"),
        ("{id: a, deny: {to: {namespace: a, namespace-labels: {a: b}}}}", (3, 24), "not both"),
        ("{id: a, deny: {to: {labels: {}}}}", (3, 33), "no label"),
        ("{id: a, deny: {to: {labels: {-a: b}}}}", (3, 33), "no key of a label"),
        ("{id: a, deny: {to: {labels: {a: b c}}}}", (3, 33), "no value of a label"),
        ("{id: a, deny: {to: {addresses: []}}}", (3, 24), "`addresses` is empty"),
        ("{id: a, deny: {to: {addresses: [10.0.0.1]}}}", (3, 37), "write `10.0.0.1/32`"),
        ("{id: a, deny: {to: {namespce: a}}}", (3, 25), "did you mean `namespace`?"),
        ("{id: a, deny: {to: {any: true, except: [{any: true}]}}}", (3, 46), "no key `any`"),
        ("{id: a, deny: {to: {any: true}, ports: []}}", (3, 5), "`ports` is empty"),
        ("{id: a, deny: {to: {any: true}, ports: [5432]}}", (3, 45), "write `TCP/5432`"),
        ("{id: a, deny: {to: {any: true}, ports: [tcp/5432]}}", (3, 45), "no protocol"),
        ("{id: a, deny: {to: {any: true}, ports: [TCP/0]}}", (3, 45), "no port"),
        ("{id: a, deny: {to: {any: true}, ports: [TCP/65536]}}", (3, 45), "no port"),
        ("{id: a, deny: {to: {any: true}, ports: [TCP/9-8]}}", (3, 45), "ends before it begins"),
        ("{id: a, deny: {to: {any: true}, enforce: never}}", (3, 46), "`always`"),
        ("{id: a, frozen: {to: {any: true}, approvers: [\"@ada\"]}}", (3, 51), "write `ada`"),
        ("{id: a, must_reach: {}}", (3, 13), "did you mean `must-reach`?"),
    ];
    for (guardrail, place, words) in cases {
        let text = format!("version: 1\nguardrails:\n  - {guardrail}\n");
        let found = errors(&text);
        let first = &found[0];
        assert!(first.message.contains(words), "{guardrail}: {first}");
        assert_eq!((first.line, first.column), place, "{guardrail}: {first}");
    }
    let one = "  - {id: a, deny: {to: {any: true}}}\n";
    let twice = errors(&format!("version: 1\nguardrails:\n{one}{one}"));
    assert!(twice[0].message.contains("two guardrails `a`"), "{twice:?}");
    assert_eq!((twice[0].line, twice[0].column), (4, 10));
}

#[test]
fn what_is_left_out_is_the_default() {
    let (empty, default) = (parse("version: 1\n").expect("a good file"), Settings::default());
    assert_eq!(format!("{empty:?}"), format!("{default:?}"));
    let nothing = "version: 1\npaths:\nseverity:\nprotected:\ncluster: {}\nwaivers: []\ncomment:\n";
    assert_eq!(format!("{:?}", parse(nothing).expect("a good file")), format!("{default:?}"));
    // The root is no limit.
    assert!(parse("version: 1\npaths: [.]\n").expect("a good file").paths.is_empty());
}

#[test]
fn every_profile_has_a_name_and_keys_beat_it() {
    let names = [
        ("calico", Profile::Calico),
        ("cilium", Profile::Cilium),
        ("antrea", Profile::Antrea),
        ("aws-vpc-cni", Profile::AwsVpcCni),
        ("azure-npm", Profile::AzureNpm),
        ("gke-dataplane-v2", Profile::GkeDataplaneV2),
        ("ovn-kubernetes", Profile::OvnKubernetes),
        ("kube-router", Profile::KubeRouter),
    ];
    assert_eq!(names.map(|(_, profile)| profile), Profile::ALL);
    for (name, profile) in names {
        let text = format!("version: 1\ncluster: {{profile: {name}}}\n");
        let config = parse(&text).expect(name).config;
        let known = profile.known();
        let default = netpol_review::config::Config::default();
        let blocks = known.ip_blocks_match_pods.unwrap_or(default.ip_blocks_match_pods);
        assert_eq!(config.ip_blocks_match_pods, blocks, "{name}");
        assert_eq!(config.sctp, known.sctp.unwrap_or(true), "{name}");
        assert_eq!(config.end_port, known.end_port.unwrap_or(true), "{name}");
        let text = format!(
            "version: 1\ncluster: {{profile: {name}, ipBlocksMatchPods: unknown, sctp: true}}\n"
        );
        let config = parse(&text).expect(name).config;
        assert_eq!(config.ip_blocks_match_pods, IpBlocksMatchPods::Unknown, "{name}");
        assert!(config.sctp, "{name}");
    }
}

#[test]
fn mistakes_are_said_with_their_place_and_a_near_miss() {
    let waiver = |fields: &str| format!("version: 1\nwaivers:\n  - {{{fields}}}\n");
    let cases: Vec<(String, (u32, u32), &str)> = vec![
        ("".into(), (1, 1), "begins with `version: 1`"),
        ("mode: warn\n".into(), (1, 1), "`version` is missing"),
        ("version: 2\n".into(), (1, 10), "version 2 is not known"),
        ("version: one\n".into(), (1, 10), "it could not be read"),
        ("version: 1\nfail-on: high\n".into(), (2, 1), "did you mean `failOn`?"),
        ("version: 1\nfailon: high\n".into(), (2, 1), "did you mean `failOn`?"),
        ("version: 1\nfailOn: hihg\n".into(), (2, 9), "did you mean `high`?"),
        ("version: 1\nmode: block\n".into(), (2, 7), "`enforce`"),
        ("version: 1\npodCIDRs: []\n".into(), (2, 1), "belongs below `cluster`"),
        ("version: 1\nfrobnicate: 1\n".into(), (2, 1), "there are `version`"),
        ("version: 1\nversion: 1\n".into(), (2, 1), "`version` is there twice"),
        ("version: 1\ncluster:\n  podCidrs: []\n".into(), (3, 3), "did you mean `podCIDRs`"),
        ("version: 1\ncluster:\n  profile: calicoo\n".into(), (3, 12), "did you mean `calico`?"),
        ("version: 1\ncluster: {endPort: maybe}\n".into(), (2, 20), "`true` or `false`"),
        ("version: 1\ncluster: {sctp: yes}\n".into(), (2, 17), "`true` or `false`"),
        ("version: 1\ncluster: {podCIDRs: [10.0.0.1/8]}\n".into(), (2, 22), "write `10.0.0.0/8`"),
        ("version: 1\ncluster: {podCIDRs: [10.0.0.1]}\n".into(), (2, 22), "write `10.0.0.1/32`"),
        ("version: 1\nprotected: {ranges: [all]}\n".into(), (2, 22), "no CIDR"),
        ("version: 1\nprotected: {namespaces: [A_b]}\n".into(), (2, 26), "1 to 63"),
        ("version: 1\ndefaultNamespace: ''\n".into(), (2, 19), "1 to 63"),
        ("version: 1\npaths: [../x]\n".into(), (2, 9), "leads out of the repository"),
        ("version: 1\npaths: [a/../../x]\n".into(), (2, 9), "leads out of the repository"),
        ("version: 1\npaths: [/etc]\n".into(), (2, 9), "without a leading `/`"),
        ("version: 1\npaths: deploy\n".into(), (2, 8), "it could not be read"),
        ("version: 1\ninventory: [.]\n".into(), (2, 13), "name a file"),
        ("version: 1\ninventory: ['']\n".into(), (2, 13), "name a file"),
        ("version: 1\ninventory: [../x.yaml]\n".into(), (2, 13), "leads out of the repository"),
        ("version: 1\nseverity: {isolation-list: high}\n".into(), (2, 12), "`isolation-lost`"),
        ("version: 1\nseverity: {rule-added: severe}\n".into(), (2, 24), "`critical`"),
        (waiver("fingerprint: 0123456789a, reason: x"), (3, 19), "write all 32"),
        (waiver("fingerprint: 0123456789xyz, reason: x"), (3, 19), "write all 32"),
        (waiver("fingerprint: 0123456789abcdef0123456789abcdef"), (3, 6), "`reason` is missing"),
        (
            waiver("fingerprint: 0123456789abcdef0123456789abcdef, reason: ' '"),
            (3, 61),
            "`reason` is empty",
        ),
        (
            waiver("fingerprint: 0123456789abcdef0123456789abcdef, reason: x, expires: 2027-02-30"),
            (3, 73),
            "no day",
        ),
        (
            waiver("fingerprint: 0123456789abcdef0123456789abcdef, reason: x, expires: 1.2.27"),
            (3, 73),
            "2027-01-31",
        ),
        (
            waiver("fingerprint: 0123456789abcdef0123456789abcdef, reason: x, until: 2027-01-01"),
            (3, 64),
            "`expires`",
        ),
        ("version: 1\napprovers: {users: ['@ada']}\n".into(), (2, 21), "write `ada`"),
        ("version: 1\napprovers: {teams: [security]}\n".into(), (2, 21), "organisation/team"),
        ("version: 1\ncomment: {when: sometimes}\n".into(), (2, 17), "`on-change`"),
        ("version: 1\nlimits: {nodes: 5}\n".into(), (2, 17), "1000 to"),
        ("version: 1\nlimits: {nodes: many}\n".into(), (2, 17), "it could not be read"),
        ("version: 1\n---\nversion: 1\n".into(), (3, 1), "second document"),
        ("version: 1\npaths: [\n".into(), (2, 8), "unclosed"),
        ("version: 1\npaths: &a [x]\nwaivers: *a\n".into(), (2, 11), "anchors"),
    ];
    let mut wrong = Vec::new();
    for (text, place, part) in cases {
        let found = match parse(&text) {
            Ok(settings) => {
                wrong.push(format!("{text:?} is read: {settings:?}"));
                continue;
            }
            Err(errors) => errors,
        };
        let [error] = found.as_slice() else {
            wrong.push(format!("{text:?}: {found:?}"));
            continue;
        };
        let plain = !error.message.contains('\n')
            && !error.message.ends_with('.')
            && !error.message.contains(" at line ");
        if (error.line, error.column) != place || !error.message.contains(part) || !plain {
            wrong.push(format!("{text:?}: {error}, expected {place:?} {part:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn all_bad_values_are_said_at_once_in_the_order_of_lines() {
    let text = "version: 3\npaths: [/a, ../b, ok]\ncluster: {podCIDRs: [x]}\nwaivers: [{fingerprint: z, reason: ''}]\n";
    let lines: Vec<u32> = errors(text).iter().map(|error| error.line).collect();
    assert_eq!(lines, [1, 2, 2, 3, 4, 4]);
}

#[test]
fn bytes_that_are_no_text_and_files_without_end() {
    let errors = parse_bytes(b"version: 1\npaths: [\xff]\n").expect_err("no UTF-8");
    assert_eq!((errors[0].line, errors.len()), (2, 1));
    assert!(parse_bytes(b"\xef\xbb\xbfversion: 1\n").is_ok(), "a byte order mark is no mistake");
    let long = format!("version: 1\n# {}\n", "x".repeat(300 << 10));
    assert!(parse(&long).expect_err("too long")[0].message.contains("bytes"));
    let deep = format!("version: 1\npaths: {}{}\n", "[".repeat(50_000), "]".repeat(50_000));
    assert_eq!(parse(&deep).expect_err("too deep").len(), 1);
    let many = format!("version: 1\npaths:\n{}", "- a\n".repeat(60_000));
    assert!(parse(&many).expect_err("too many")[0].message.contains("holds more"));
}

/// The examples of the documentation are files that are read.
#[test]
fn the_documentation_shows_good_files() {
    let text = include_str!("../../docs/configuration.md");
    let mut examples = 0;
    for part in text.split("```yaml\n").skip(1) {
        let example = part.split("```").next().expect("the end of an example");
        // Parts are shown without the first line that every file has.
        let whole = match example.contains("version: 1") {
            true => example.to_string(),
            false => format!("version: 1\n{example}"),
        };
        assert!(parse(&whole).is_ok(), "{example}{:?}", parse(&whole));
        examples += 1;
    }
    assert!(examples >= 8, "{examples}");
    // Every key has its place in it.
    for key in crate::schema::keys() {
        assert!(
            text.contains(&format!("`{key}`")),
            "docs/configuration.md does not explain `{key}`"
        );
    }
}

proptest! {
    #![proptest_config(crate::worlds::config(512))]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_bytes(&bytes);
    }

    /// A good file with a piece of it replaced: read, or refused with a line that it has.
    #[test]
    fn no_edit_makes_it_panic(
        at in 0..FULL.len(),
        length in 0..30usize,
        new in "[a-z0-9:{}\\[\\],&*!|>'\"#%@ \n\t-]{0,12}",
    ) {
        let end = (at + length).min(FULL.len());
        let text = format!("{}{new}{}", &FULL[..at], &FULL[end..]);
        if let Err(errors) = parse(&text) {
            prop_assert!(!errors.is_empty());
            let lines = text.lines().count() as u32 + 1;
            for error in errors {
                prop_assert!((1..=lines).contains(&error.line) && error.column >= 1, "{}: {}", error, text);
            }
        }
    }
}
