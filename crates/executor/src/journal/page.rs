//! A release as a config.

use std::collections::BTreeMap;

use imgstack_spec::StackName;
use imgstack_swarm::Config;

use super::read::Unreadable;
use super::release::{Begun, Ending, FORMAT_VERSION, LeftOut, Release};
use crate::stack_key;

/// The label that marks a page; its value is the stack.
pub(super) const LABEL: &str = "dev.imgstack.release";
/// The label with the result, for people that look: `begun` at first.
pub(super) const RESULT: &str = "dev.imgstack.release.result";
/// The label with the taking of the lock.
pub(super) const LOCK: &str = "dev.imgstack.release.lock";
/// The label with the end, as JSON.
pub(super) const ENDING: &str = "dev.imgstack.release.ending";

/// What a page may have: less than the 512,000 bytes of old engines.
const LIMIT: usize = 500_000;
/// What an end may have. The engine has no limit for labels but that of a
/// message between managers, which is 4 MiB.
const ENDING_LIMIT: usize = 200_000;

/// `imgstack.release.STACK.NUMBER`, in small letters. The number is what stands
/// behind the last dot, so that no two stacks have a name in common; the longest
/// name of a stack leaves room for a million releases.
#[must_use]
pub fn config_name(stack: &StackName, number: u64) -> String {
    format!("imgstack.release.{}.{number}", stack_key(stack))
}

/// The number in the name of a page: no page of ours has one so great that
/// there is none after it.
pub(super) fn number(stack: &StackName, name: &str) -> Option<u64> {
    let (_, number) = name.rsplit_once('.')?;
    let number = u64::from(number.parse::<u32>().ok()?);
    // `007` would be another page of the same number.
    (name.to_lowercase() == config_name(stack, number)).then_some(number)
}

/// The labels of a page that is begun.
pub(super) fn labels(stack: &StackName, lock: &str) -> BTreeMap<String, String> {
    let labels = [(LABEL, stack_key(stack)), (LOCK, lock.to_owned())];
    let labels = labels.into_iter().chain([(RESULT, "begun".to_owned())]);
    labels.map(|(key, it)| (key.to_owned(), it)).collect()
}

/// The data of a page, with as much as there is room for. Of a huge plan go, one
/// after another: the reasons, the steps of nodes, the services as they were,
/// and at last steps from the end. What went is said.
pub(super) fn data(begun: &Begun) -> serde_json::Result<Vec<u8>> {
    let mut begun = begun.clone();
    let whole = begun.step_count;
    let cuts: [fn(&mut Begun); 4] = [|_| {}, drop_reasons, drop_nodes, drop_previous];
    for cut in cuts {
        cut(&mut begun);
        let data = written(&mut begun, whole)?;
        if data.len() <= LIMIT {
            return Ok(data);
        }
    }
    loop {
        let half = begun.steps.len() / 2;
        begun.steps.truncate(half);
        let data = written(&mut begun, whole)?;
        if data.len() <= LIMIT || half == 0 {
            return Ok(data);
        }
    }
}

fn written(begun: &mut Begun, whole: usize) -> serde_json::Result<Vec<u8>> {
    begun.left_out.steps = whole - begun.steps.len();
    serde_json::to_vec(begun)
}

fn drop_reasons(begun: &mut Begun) {
    begun.left_out.reasons = true;
    begun.steps.iter_mut().for_each(|step| step.reasons.clear());
}

fn drop_nodes(begun: &mut Begun) {
    begun.steps.retain(|step| step.image.is_some());
}

fn drop_previous(begun: &mut Begun) {
    begun.left_out = LeftOut {
        previous: begun.previous.len(),
        ..begun.left_out.clone()
    };
    begun.previous.clear();
}

/// The end of a page as a label: of very many failures, the first.
pub(super) fn ending(ending: &Ending) -> serde_json::Result<String> {
    let mut ending = ending.clone();
    loop {
        let text = serde_json::to_string(&ending)?;
        if text.len() <= ENDING_LIMIT || ending.failures.is_empty() {
            return Ok(text);
        }
        let half = ending.failures.len() / 2;
        ending.failures.truncate(half);
    }
}

/// Reads a page.
pub(super) fn read(number: u64, config: &Config) -> Result<Release, Unreadable> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Header {
        format_version: String,
    }
    let unreadable = |why: String| Unreadable { number, why };
    let invalid = |error: serde_json::Error| unreadable(error.to_string());
    let header: Header = serde_json::from_slice(&config.data).map_err(invalid)?;
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    if major(&header.format_version) != major(FORMAT_VERSION) {
        return Err(unreadable(format!(
            "it has the format {}, this imgstack reads {FORMAT_VERSION}",
            header.format_version
        )));
    }
    let ending = config.label(ENDING).map(serde_json::from_str).transpose();
    Ok(Release {
        begun: serde_json::from_slice(&config.data).map_err(invalid)?,
        ending: ending.map_err(invalid)?,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use imgstack_planner::SettingsChange;
    use imgstack_swarm::{ConfigId, PreviousSpec, RawService};
    use jiff::Timestamp;
    use serde_json::json;

    use super::super::release::{ImageChange, Occasion, PlannedStep, ReleaseResult, StepFailure};
    use super::*;
    use crate::event::{FailureKind, StepOutcome};

    /// A release that updates so many services, and pulls on as many nodes.
    pub(in super::super) fn begun(services: usize) -> Begun {
        let image = |digit: &str| format!("ghcr.io/acme/web:1@sha256:{}", digit.repeat(64));
        let pull = |at: usize| PlannedStep {
            place: at,
            id: id(&format!("pull node.host-{at} image.web")),
            address: format!("node.host-{at}").parse().unwrap(),
            action: "pull".to_owned(),
            image: None,
            settings: SettingsChange::default(),
            reasons: vec!["does not hold the image".to_owned()],
        };
        let update = |at: usize| PlannedStep {
            place: services + at,
            id: id(&format!("update service.web-{at}")),
            address: format!("service.web-{at}").parse().unwrap(),
            action: "update".to_owned(),
            image: Some(ImageChange {
                service: format!("web-{at}").parse().unwrap(),
                from: image("a"),
                to: image("b"),
            }),
            settings: SettingsChange::default(),
            reasons: vec!["the tag `1` moved".to_owned()],
        };
        let previous = |at: usize| {
            let service = RawService::new(json!({"ID": format!("id-{at}"), "Spec": {
                "Name": format!("web-{at}"),
                "TaskTemplate": {"ContainerSpec": {"Image": image("a")}},
            }}));
            let name = format!("web-{at}").parse().unwrap();
            (name, PreviousSpec::of(&service))
        };
        Begun {
            format_version: FORMAT_VERSION.to_owned(),
            stack: "shop".to_owned(),
            number: 7,
            started_at: Timestamp::UNIX_EPOCH,
            occasion: Occasion {
                owner: "root".to_owned(),
                host: "ci-1".to_owned(),
                command: "imgstack apply".to_owned(),
                imgstack_version: "0.1.0".to_owned(),
                commit: None,
            },
            lock: "t1".to_owned(),
            spec_digest: "sha256:aa".to_owned(),
            plan: "9f2c".to_owned(),
            step_count: 2 * services,
            steps: (0..services)
                .map(pull)
                .chain((0..services).map(update))
                .collect(),
            previous: (0..services).map(previous).collect(),
            left_out: LeftOut::default(),
        }
    }

    fn id(text: &str) -> imgstack_planner::StepId {
        serde_json::from_value(json!(text)).unwrap()
    }

    fn config(data: Vec<u8>, labels: BTreeMap<String, String>) -> Config {
        Config {
            id: ConfigId::new("x"),
            version: 1,
            name: "imgstack.release.shop.7".to_owned(),
            labels,
            data,
        }
    }

    #[test]
    fn a_name_is_of_one_stack_and_one_number() {
        let stack = |name: &str| -> StackName { name.parse().unwrap() };
        let table = [
            ("shop", "imgstack.release.shop.7", Some(7)),
            ("Shop", "imgstack.release.shop.7", Some(7)),
            ("shop", "imgstack.release.SHOP.7", Some(7)),
            ("a", "imgstack.release.a.1.2", None),
            ("a.1", "imgstack.release.a.1.2", Some(2)),
            ("shop", "imgstack.release.shop.07", None),
            ("shop", "imgstack.release.shop.x", None),
            ("shop", "imgstack.release.shop", None),
            ("shop", "imgstack.release.shop-2.7", None),
            ("shop", "imgstack.release.shop.18446744073709551615", None),
        ];
        for (of, name, expected) in table {
            assert_eq!(number(&stack(of), name), expected, "{of}: {name}");
        }
        let longest = stack(&"a".repeat(40));
        assert!(config_name(&longest, 999_999).len() <= 64);
    }

    #[test]
    fn what_is_written_is_read() {
        let begun = begun(2);
        let end = Ending {
            ended_at: Timestamp::UNIX_EPOCH,
            result: ReleaseResult::Done,
            outcomes: vec![(StepOutcome::Done, 4)],
            failures: Vec::new(),
            failed_builds: Vec::new(),
            leaders: Vec::new(),
        };
        let mut labels = labels(&"Shop".parse().unwrap(), "t1");
        assert_eq!(labels[LABEL], "shop");
        let unfinished = read(7, &config(data(&begun).unwrap(), labels.clone())).unwrap();
        assert_eq!((&unfinished.begun, &unfinished.ending), (&begun, &None));
        labels.insert(ENDING.to_owned(), ending(&end).unwrap());
        let release = read(7, &config(data(&begun).unwrap(), labels)).unwrap();
        assert_eq!((release.begun, release.ending), (begun, Some(end)));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let newer = br#"{"formatVersion": "2.0"}"#.to_vec();
        for (data, words) in [
            (newer, "format 2.0, this imgstack reads 1.0"),
            (b"hello".to_vec(), "expected"),
        ] {
            let error = read(7, &config(data, BTreeMap::new())).unwrap_err();
            assert_eq!(error.number, 7);
            assert!(error.why.contains(words), "{}", error.why);
        }
    }

    /// How many services; what is left of it, most first.
    #[test]
    fn a_huge_plan_keeps_the_essentials() {
        let table = [
            (100, false, 0, 0),
            // The reasons are the first to go.
            (680, true, 0, 0),
            (760, true, 760, 0),
            (1_000, true, 1_000, 1_000),
            (20_000, true, 0, 20_000),
        ];
        for (services, reasons, steps, previous) in table {
            let data = data(&begun(services)).unwrap();
            assert!(data.len() <= LIMIT, "{services}: {}", data.len());
            let kept = read(7, &config(data, BTreeMap::new())).unwrap().begun;
            assert_eq!(kept.step_count, 2 * services);
            assert_eq!(kept.left_out.reasons, reasons, "{services}");
            assert_eq!(kept.left_out.previous, previous, "{services}");
            assert_eq!(kept.previous.len() + previous, services);
            assert_eq!(kept.steps.len() + kept.left_out.steps, 2 * services);
            if services < 20_000 {
                assert_eq!(kept.left_out.steps, steps, "{services}");
            } else {
                // As many as there is room for, each known by its place.
                assert!(kept.steps.len() > 500, "{}", kept.steps.len());
                assert_eq!(kept.steps[0].place, services);
            }
        }
    }

    #[test]
    fn very_many_failures_are_cut() {
        let failure = |at: usize| StepFailure {
            step: id(&format!("pull node.host-{at} image.web")),
            kind: FailureKind::PullFailed,
            message: "x".repeat(400),
            tasks: Vec::new(),
        };
        let end = Ending {
            ended_at: Timestamp::UNIX_EPOCH,
            result: ReleaseResult::Failed,
            outcomes: vec![(StepOutcome::Failed, 5_000)],
            failures: (0..5_000).map(failure).collect(),
            failed_builds: Vec::new(),
            leaders: Vec::new(),
        };
        let text = ending(&end).unwrap();
        assert!(text.len() <= ENDING_LIMIT);
        let read: Ending = serde_json::from_str(&text).unwrap();
        assert!(read.failures.len() > 100);
        assert_eq!(read.failures[..], end.failures[..read.failures.len()]);
    }
}
