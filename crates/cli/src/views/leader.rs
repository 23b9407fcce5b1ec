//! The leader of a group, as people read of it.

use imgstack_planner::UpdateService;
use imgstack_spec::{Address, LeaderChange};

use super::style::inline;

/// What is done before an update, where the service leads.
pub(super) fn first(update: &UpdateService) -> Option<Vec<String>> {
    let leader = update.leader.as_ref().filter(|leader| leader.led)?;
    let words = leader.last_if.before.as_ref()?.iter();
    let words: Vec<&str> = words.map(|word| word.as_str()).collect();
    Some(vec![
        format!("runs `{}` in its task", inline(&words.join(" "))),
        "and waits until it leads no more".to_owned(),
    ])
}

/// That the apply ends there, where another one leads by then.
pub(super) fn stops(update: &UpdateService) -> Option<Vec<String>> {
    let leader = update.leader.as_ref()?;
    let may_move = leader.group.len() > 1;
    (may_move && leader.last_if.on_change == LeaderChange::Stop)
        .then(|| vec!["nothing further is begun where another one leads by then".to_owned()])
}

/// That another service leads than did, and what follows.
pub(super) fn moved(
    image: &Address,
    leader: &Address,
    was: Option<&Address>,
    left: &[Address],
) -> String {
    let was = was.map_or_else(|| "nobody".to_owned(), ToString::to_string);
    let left: Vec<String> = left.iter().map(ToString::to_string).collect();
    let left = match left.len() {
        0 => String::new(),
        1 => format!("; left of its group: {}", left.concat()),
        _ => format!("; left of its group, in this order: {}", left.join(", ")),
    };
    format!("{image}: {leader} leads now, not {was}{left}")
}
