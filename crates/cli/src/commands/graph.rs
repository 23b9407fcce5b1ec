//! `imgstack graph`

use crate::args::{GraphArgs, GraphOutput};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::views::graph::{dot, mermaid, svg};
use crate::views::outline::order::Order;
use crate::views::outline::orders;
use crate::{input, saved};

pub(crate) fn run(args: &GraphArgs, printer: Printer) -> Result<Exit, Problem> {
    let orders: Vec<(String, Order)> = match &args.plan {
        Some(plan) => orders(&saved::read(plan)?),
        None => {
            let set = input::stacks(&args.spec)?;
            let stacks = set.stacks.iter();
            stacks
                .map(|stack| (stack.name.to_string(), Order::of_stack(stack)))
                .collect()
        }
    };
    let text = match args.output {
        GraphOutput::Dot => dot::render(&orders),
        GraphOutput::Mermaid => mermaid::render_all(&orders),
        GraphOutput::Svg => {
            let names: Vec<&str> = orders.iter().map(|(name, _)| name.as_str()).collect();
            let title = format!("The order of doing: {}", names.join(", "));
            let orders = orders.into_iter().map(|(_, order)| order).collect();
            svg::render(&Order::joined(orders), &title, 0)
        }
    };
    printer.data(&text)?;
    Ok(Exit::Done)
}
