//! Who holds a lock, and what befalls locks and the journal.

use imgstack_executor::Event;
use imgstack_executor::lock::{Holder, LockError, STALE, Unlocked};
use imgstack_spec::StackName;
use imgstack_swarm::Error;
use jiff::Timestamp;

use super::fold::prose;
use super::style::{BAD, WARN, ago, inline, paint};
use super::typed::SpecWords;

/// Whose a lock is: "root@ci-1 runs `imgstack apply` (process 17) since
/// 2026-08-01 10:00:00Z, 3 minutes ago".
pub(crate) fn holder(holder: &Holder, now: Timestamp) -> String {
    let known = |text: &str, otherwise: &str| match text {
        "" => otherwise.to_owned(),
        text => inline(text),
    };
    let mut text = format!(
        "{}@{} runs `{}`",
        known(&holder.owner, "somebody"),
        known(&holder.host, "somewhere"),
        known(&holder.command, "something"),
    );
    if let Some(process) = holder.process {
        text += &format!(" (process {process})");
    }
    if let Some(since) = holder.since {
        text += &format!(" since {}, {}", moment(since), ago(since, now));
    }
    text
}

/// A point in time, to the second.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// "; its last heartbeat came at 10:00:05Z"
fn heartbeat(holder: &Holder) -> String {
    match holder.heartbeat {
        Some(at) => format!(
            "its last heartbeat came at {} by its own clock",
            at.strftime("%H:%M:%SZ")
        ),
        None => "it has given no heartbeat".to_owned(),
    }
}

/// Why a lock cannot be had.
pub(crate) fn refusal(error: &LockError) -> String {
    match error {
        LockError::Held { stack, holder: who } => format!(
            "the stack {stack} is locked: {}, and lives: {}; nothing was done",
            holder(who, Timestamp::now()),
            heartbeat(who)
        ),
        LockError::Engine { .. } => format!("{error}; nothing was done"),
        LockError::Interrupted => error.to_string(),
    }
}

/// What a person can do about it.
pub(crate) fn hint(error: &LockError, spec: &SpecWords) -> Option<String> {
    match error {
        // It unlocks the stacks of its spec: it had better be the same.
        LockError::Held { .. } => Some(format!(
            "wait for it with --lock-timeout 10m; if it must go all the same: imgstack unlock --force{spec}"
        )),
        LockError::Engine { error, .. } => error.hint(),
        LockError::Interrupted => None,
    }
}

/// What is said of an event of the lock's or the journal's, with a line end;
/// None for one that is not theirs.
pub(crate) fn told(event: &Event, now: Timestamp) -> Option<String> {
    let (warning, error) = (paint(WARN, "Warning:"), paint(BAD, "Error:"));
    let text = match event {
        Event::LockWaited { stack, holder: who } => format!(
            "The stack {stack} is locked: {}; {}. Watching whether it lives, which takes some seconds; a lock that does not move for {} s is taken over.",
            holder(who, now),
            heartbeat(who),
            STALE.as_secs()
        ),
        Event::LockTakenOver { stack, holder: who } => format!(
            "{warning} the lock of the stack {stack} was taken over: {}, and gave no sign of life for {} s",
            holder(who, now),
            STALE.as_secs()
        ),
        Event::LockLost {
            stack,
            why,
            holder: who,
        } => {
            let by = who.as_ref().map(|who| format!(": {}", holder(who, now)));
            format!(
                "{error} the lock of the stack {stack} was lost: {}{}; nothing further is begun",
                inline(why),
                by.unwrap_or_default()
            )
        }
        Event::JournalFailed {
            stack,
            why,
            nothing_done: true,
        } => format!(
            "{error} the journal of the stack {stack} cannot be written, so nothing was begun: {}",
            inline(why)
        ),
        Event::JournalFailed {
            stack,
            why,
            nothing_done: false,
        } => format!(
            "{warning} how it ended is not in the journal of the stack {stack}: {}",
            inline(why)
        ),
        Event::ApplyStarted { .. }
        | Event::StepStarted { .. }
        | Event::StepProgress { .. }
        | Event::StepSucceeded { .. }
        | Event::StepFailed { .. }
        | Event::GoingBack { .. }
        | Event::HandingOver { .. }
        | Event::OrderChanged { .. }
        | Event::LeftBehind { .. }
        | Event::ReleaseWritten { .. }
        | Event::ApplyFinished { .. } => return None,
    };
    Some(prose(&text, 2) + "\n")
}

/// A lock that could not be removed.
pub(crate) fn left(stack: &StackName, error: &Error) -> String {
    let warning = paint(WARN, "Warning:");
    let text = format!(
        "{warning} the lock of the stack {stack} could not be removed, and is taken over after {} s: {}",
        STALE.as_secs(),
        inline(&error.to_string())
    );
    prose(&text, 2) + "\n"
}

/// A lock that is watched before it is removed.
pub(crate) fn watched(stack: &StackName, who: &Holder, now: Timestamp) -> String {
    let text = format!(
        "The stack {stack} is locked: {}; {}. Watching whether it lives, for up to {} s.",
        holder(who, now),
        heartbeat(who),
        STALE.as_secs()
    );
    prose(&text, 2) + "\n"
}

/// What became of a lock.
pub(crate) fn unlocked(stack: &StackName, unlocked: &Unlocked, now: Timestamp) -> String {
    let text = match unlocked {
        Unlocked::NotLocked => format!("The stack {stack} is not locked."),
        Unlocked::Removed(who) => format!(
            "The lock of the stack {stack} is removed. It said: {}.",
            holder(who, now)
        ),
    };
    prose(&text, 2) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_unlock_names_the_spec_that_was_named() {
        let error = LockError::Held {
            stack: "web".parse().unwrap(),
            holder: Box::default(),
        };
        for (spec, ends) in [
            (SpecWords::typed(&[]), "unlock --force"),
            (
                SpecWords::typed(&["a b.yaml".into()]),
                "unlock --force -f 'a b.yaml'",
            ),
            (SpecWords::of_a_plan(), "unlock --force -f SPEC"),
        ] {
            let hint = hint(&error, &spec).unwrap();
            assert!(hint.ends_with(ends), "{hint}");
        }
    }

    #[test]
    fn a_holder_is_told_as_far_as_it_is_known() {
        let at = |text: &str| Some(text.parse().unwrap());
        let now = "2026-08-01T10:03:00Z".parse().unwrap();
        let known = Holder {
            owner: "root".to_owned(),
            host: "ci-1".to_owned(),
            process: Some(17),
            command: "imgstack apply".to_owned(),
            since: at("2026-08-01T10:00:00.5Z"),
            heartbeat: at("2026-08-01T10:02:58Z"),
        };
        assert_eq!(
            holder(&known, now),
            "root@ci-1 runs `imgstack apply` (process 17) since 2026-08-01 10:00:00Z, 3 minutes ago"
        );
        assert_eq!(
            heartbeat(&known),
            "its last heartbeat came at 10:02:58Z by its own clock"
        );
        let forged = Holder {
            owner: "a\nb".to_owned(),
            ..Holder::default()
        };
        assert_eq!(holder(&forged, now), "a b@somewhere runs `something`");
    }
}
