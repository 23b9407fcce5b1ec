//! The order of doing as a graph: what is drawn of it.
//!
//! A plan has an edge from each pull to each update that needs it, and from
//! those to each removal. So steps that do the same on several nodes, and
//! between the same others, are one node here, and an edge that follows from
//! others is left out.

use std::collections::BTreeMap;

use imgstack_planner::service_order;
use imgstack_spec::{ServiceName, Stack};

use super::{Mark, StepTold, first_of};

/// So many services that could change places are drawn as one.
const MANY: usize = 12;
/// So many of the things that are drawn as one are named.
const NAMED: usize = 3;

/// A graph without cycles, in the order of doing.
#[derive(Default)]
pub(crate) struct Order {
    pub(in crate::views) nodes: Vec<Node>,
    pub(in crate::views) edges: Vec<Edge>,
}

/// A step, or several that do the same.
pub(in crate::views) struct Node {
    /// "2  update", "1–3  pull image.web"
    pub(in crate::views) title: String,
    /// To what.
    pub(in crate::views) about: String,
    pub(in crate::views) mark: Mark,
}

/// What comes before what: the places of two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::views) struct Edge {
    pub(in crate::views) from: usize,
    pub(in crate::views) to: usize,
    /// The first must have succeeded; else it only comes first.
    pub(in crate::views) needed: bool,
}

impl Order {
    /// The order of steps.
    pub(super) fn of_steps(steps: &[StepTold]) -> Self {
        let mut edges = Vec::new();
        for (to, step) in steps.iter().enumerate() {
            edges.extend(step.after.iter().map(|&from| Edge {
                from,
                to,
                needed: true,
            }));
            let follows = step.follows.iter();
            edges.extend(follows.map(|&from| Edge {
                from,
                to,
                needed: false,
            }));
        }
        // A file that was edited by hand may say anything.
        edges.retain(|edge| edge.from < edge.to);
        let groups = groups(steps, &edges);
        let nodes = groups.iter().map(|group| node(steps, group)).collect();
        let mut group_of = vec![0; steps.len()];
        for (number, group) in groups.iter().enumerate() {
            group.iter().for_each(|&step| group_of[step] = number);
        }
        for edge in &mut edges {
            edge.from = group_of[edge.from];
            edge.to = group_of[edge.to];
        }
        let edges = without_the_obvious(groups.len(), edges);
        Self { nodes, edges }
    }

    /// The order that a spec gives its services.
    pub(crate) fn of_stack(stack: &Stack) -> Self {
        let order = service_order(stack);
        let places: BTreeMap<&ServiceName, usize> = order
            .iter()
            .enumerate()
            .map(|(place, (service, _))| (&service.name, place))
            .collect();
        let nodes = order.iter().enumerate().map(|(place, (service, _))| Node {
            title: format!("{}  image.{}", place + 1, service.image),
            about: format!("service.{}", service.name),
            mark: Mark::Plain,
        });
        let mut edges = Vec::new();
        for (to, (service, before)) in order.iter().enumerate() {
            let before = before.iter().filter_map(|name| places.get(*name));
            edges.extend(before.map(|&from| Edge {
                from,
                to,
                needed: !service.after.is_empty(),
            }));
        }
        edges.retain(|edge| edge.from < edge.to);
        Self {
            nodes: nodes.collect(),
            edges: without_the_obvious(order.len(), edges),
        }
    }
}

impl Order {
    /// Several graphs side by side.
    pub(crate) fn joined(orders: Vec<Self>) -> Self {
        let mut all = Self::default();
        for order in orders {
            let offset = all.nodes.len();
            all.nodes.extend(order.nodes);
            all.edges.extend(order.edges.into_iter().map(|edge| Edge {
                from: edge.from + offset,
                to: edge.to + offset,
                ..edge
            }));
        }
        all
    }
}

/// The edges to a step and those from it, each without its end there.
type Around = (Vec<Edge>, Vec<Edge>);

/// Steps that are drawn as one: they do the same, before and after the same.
fn groups(steps: &[StepTold], edges: &[Edge]) -> Vec<Vec<usize>> {
    let mut around: Vec<Around> = vec![Around::default(); steps.len()];
    for edge in edges {
        around[edge.to].0.push(Edge { to: 0, ..*edge });
        around[edge.from].1.push(Edge { from: 0, ..*edge });
    }
    let mut alike: BTreeMap<(&str, &str, &Around), Vec<usize>> = BTreeMap::new();
    for ((place, step), around) in steps.iter().enumerate().zip(&around) {
        let what = if step.on_node { &*step.what } else { "" };
        alike
            .entry((step.verb, what, around))
            .or_default()
            .push(place);
    }
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for group in alike.into_values() {
        match steps[group[0]].on_node || group.len() >= MANY {
            true => groups.push(group),
            false => groups.extend(group.into_iter().map(|step| vec![step])),
        }
    }
    groups.sort();
    groups
}

fn node(steps: &[StepTold], group: &[usize]) -> Node {
    let (first, last) = (group[0], group[group.len() - 1]);
    let step = &steps[first];
    let numbers = match (group.len(), last - first + 1) {
        (1, _) => (first + 1).to_string(),
        (count, width) if count == width => format!("{}–{}", first + 1, last + 1),
        (2, _) => format!("{}, {}", first + 1, last + 1),
        _ => format!("{} … {}", first + 1, last + 1),
    };
    let what = if step.on_node { &*step.what } else { "" };
    let addresses = group.iter().map(|&step| steps[step].address.as_str());
    let addresses: Vec<String> = addresses
        .map(|address| match address.split_once('.') {
            // Several are named in a line.
            Some((_, name)) if group.len() > 1 => name.to_owned(),
            Some(_) | None => address.to_owned(),
        })
        .collect();
    Node {
        title: format!("{numbers}  {} {what}", step.verb)
            .trim_end()
            .to_owned(),
        about: first_of(&addresses, NAMED),
        mark: step.mark,
    }
}

/// Without the edges that follow from others. One that must have succeeded
/// follows only from such.
fn without_the_obvious(nodes: usize, mut edges: Vec<Edge>) -> Vec<Edge> {
    edges.sort_by_key(|edge| (edge.from, edge.to, !edge.needed));
    edges.dedup_by_key(|edge| (edge.from, edge.to));
    let all = Ancestors::of(nodes, edges.iter());
    let needed = Ancestors::of(nodes, edges.iter().filter(|edge| edge.needed));
    let mut parents: Vec<Vec<Edge>> = vec![Vec::new(); nodes];
    for edge in &edges {
        parents[edge.to].push(*edge);
    }
    edges.retain(|edge| {
        let mut others = parents[edge.to]
            .iter()
            .filter(|other| other.from != edge.from);
        !match edge.needed {
            true => others.any(|other| other.needed && needed.has(other.from, edge.from)),
            false => others.any(|other| all.has(other.from, edge.from)),
        }
    });
    edges
}

/// For each node those that come before it, as bits.
struct Ancestors {
    words: usize,
    bits: Vec<u64>,
}

impl Ancestors {
    /// Of edges that are sorted and lead from lower nodes to higher ones.
    fn of<'a>(nodes: usize, edges: impl Iterator<Item = &'a Edge>) -> Self {
        let words = nodes.div_ceil(64);
        let mut this = Self {
            words,
            bits: vec![0; nodes * words],
        };
        let mut edges: Vec<&Edge> = edges.collect();
        edges.sort_by_key(|edge| edge.to);
        for edge in edges {
            for word in 0..words {
                let inherited = this.bits[edge.from * words + word];
                this.bits[edge.to * words + word] |= inherited;
            }
            this.bits[edge.to * words + edge.from / 64] |= 1 << (edge.from % 64);
        }
        this
    }

    fn has(&self, node: usize, ancestor: usize) -> bool {
        self.bits[node * self.words + ancestor / 64] >> (ancestor % 64) & 1 == 1
    }
}
