//! A thousand services that all change.

use imgstack_planner::{Only, Plan};

use crate::Saved;
use crate::markup::{check_html, check_markdown};
use crate::stopwatch::in_a_second;
use crate::world::{World, whole};

const SERVICES: usize = 1000;

/// How the services come after one another.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// One image: one at a time.
    Chain,
    /// An image each: none waits for another.
    Abreast,
    /// All after the first.
    Fan,
}

fn plan(order: Order) -> Plan {
    let mut spec = "metadata: {name: crowd}\nspec:\n  images:\n".to_owned();
    let image = |number: usize| match order {
        Order::Chain | Order::Fan => 0,
        Order::Abreast => number,
    };
    let images = image(SERVICES - 1) + 1;
    for number in 0..images {
        spec += &format!("    - {{name: i{number}, repository: ghcr.io/acme/i{number}, tag: t}}\n");
    }
    spec += "  services:\n";
    for number in 0..SERVICES {
        let after = match order {
            Order::Fan if number > 0 => ", after: [service-number-0]",
            Order::Fan | Order::Chain | Order::Abreast => "",
        };
        let image = image(number);
        spec += &format!("    - {{name: service-number-{number}, image: i{image}{after}}}\n");
    }
    let nodes = ["n1", "n2", "n3"];
    let mut world = World::new(&spec, &nodes);
    for number in 0..images {
        world.moved(&format!("i{number}"), 'b');
    }
    world.built('a', "1.0", 9).built('b', "1.1", 1);
    for number in 0..SERVICES {
        world.runs(&format!("service-number-{number}"), "t", 'a', &nodes);
    }
    whole(vec![world.planned(Only::Everything)])
}

/// Also unoptimised, and with the time that the program takes to begin and to
/// read the plan.
#[test]
fn a_thousand_services_fit_into_a_comment_in_no_time() {
    for order in [Order::Chain, Order::Abreast, Order::Fan] {
        let plan = plan(order);
        let updates = plan.stacks[0].steps.iter();
        let updates = updates.filter(|step| step.action.service().is_some());
        assert_eq!(updates.count(), SERVICES, "{order:?}");
        let saved = Saved::new(&plan);
        let what = format!("{order:?}");

        let comment = quickly(&saved, "show", "markdown", &what);
        check_markdown(&comment, &what);
        let rows = comment.matches("\n| ~ update | ").count();
        assert!(rows > 200, "{order:?}: only {rows} rows");
        let left = format!("{} of {SERVICES} services", SERVICES - rows);
        assert!(comment.contains(&left), "{order:?}: {left} is not told");

        check_html(&quickly(&saved, "show", "html", &what), &what);
        check_html(&quickly(&saved, "graph", "svg", &what), &what);
    }
}

fn quickly(saved: &Saved, command: &str, output: &str, what: &str) -> String {
    let path = saved.path();
    let arguments = [command, path.to_str().unwrap(), "-o", output];
    in_a_second(path.parent().unwrap(), &arguments, what)
}
