//! Whether a service leads, by what its tasks say.

use std::time::Duration;

use futures_util::future::join_all;
use imgstack_spec::Question;

use super::{Answer, Asked, Asker, Unasked};
use crate::{Node, Task, TaskState};

impl Asker {
    /// The task that says yes; None where all say no. A task that has no
    /// container yet leads nobody, and so does a service without tasks. `tasks`
    /// are those of one service; what is on its way out is not asked.
    ///
    /// # Errors
    /// Why it is not known, where none says yes and one does not answer.
    pub async fn leading<'t>(
        &self,
        question: &Question,
        within: Duration,
        tasks: impl IntoIterator<Item = &'t Task>,
        nodes: &[Node],
    ) -> Result<Option<&'t Task>, Unasked> {
        let alive = tasks
            .into_iter()
            .filter(|it| it.is_wanted() && may_lead(it));
        let answers = alive
            .map(|task| async move { (task, self.answer(question, within, task, nodes).await) });
        let answers = join_all(answers).await;
        let leading = answers.iter().find(|(_, it)| *it == Ok(true));
        if let Some((task, _)) = leading {
            return Ok(Some(task));
        }
        let mut unknown = answers.into_iter().filter_map(|(_, it)| it.err());
        unknown.next().map_or(Ok(None), Err)
    }

    async fn answer(
        &self,
        question: &Question,
        within: Duration,
        task: &Task,
        nodes: &[Node],
    ) -> Result<bool, Unasked> {
        let mut nodes = nodes.iter();
        let node = nodes.find(|node| Some(&node.id) == task.node_id.as_ref());
        let Some(node) = node else {
            return Err(Unasked {
                why: "its node is not in the Swarm any more".to_owned(),
                hint: None,
            });
        };
        if !node.is_live() {
            let hostname = &node.hostname;
            return Err(Unasked {
                why: format!("{hostname} does not answer the managers"),
                hint: Some(format!(
                    "see to node {hostname}, then run the command again"
                )),
            });
        }
        match self.ask(question, within, &Asked { task, node }).await {
            Answer::Yes => Ok(true),
            Answer::No(_) => Ok(false),
            Answer::Silent(why) => Err(Unasked {
                why: format!("{why}, on {}", node.hostname),
                hint: None,
            }),
            Answer::Unknown(unasked) => Err(unasked),
        }
    }
}

/// Whether it has a container, or may have one by now.
fn may_lead(task: &Task) -> bool {
    (TaskState::Starting..=TaskState::Running).contains(&task.state)
        || task.state == TaskState::Unknown
}
