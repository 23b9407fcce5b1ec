//! A thousand services that all change.

use std::fs;
use std::process::Command;

use imgstack_planner::{Only, Plan};

use crate::Saved;
use crate::markup::{check_html, check_markdown};
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

/// What is printed, in under a second of the processor's time: others may be at
/// work on the machine.
fn quickly(saved: &Saved, command: &str, output: &str, what: &str) -> String {
    let printed = saved.path().with_extension("out");
    let done = Command::new("sh")
        .args(["-c", r#"out=$1; shift; "$@" > "$out" && times"#, "sh"])
        .arg(&printed)
        .args([env!("CARGO_BIN_EXE_imgstack"), command])
        .arg(saved.path())
        .args(["-o", output])
        .output()
        .unwrap();
    assert!(done.status.success(), "{what}: {done:?}");
    let times = String::from_utf8(done.stdout).unwrap();
    // The second line is of what the shell has run: user and system.
    let spent: f64 = times.lines().nth(1).unwrap().split(' ').map(seconds).sum();
    assert!(
        spent > 0.0 && spent < 1.0,
        "{what}, {command} -o {output}: {spent} s"
    );
    fs::read_to_string(printed).unwrap()
}

/// Of `0m0.130000s`.
fn seconds(time: &str) -> f64 {
    let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
    minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
}
