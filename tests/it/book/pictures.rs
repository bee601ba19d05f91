//! The plots are those of the committed figures, and so are the tables of a simulation.

use super::root;
use crate::support::World;

#[test]
fn the_plots_are_drawn_from_the_figures() {
    let world = World::new();
    let plot = root().join("benches/peers/plot");
    world
        .program(world.outside("bin/python3"), [plot])
        .arguments([world.path("")])
        .run()
        .prints("");
    let mut count = 0;
    for entry in std::fs::read_dir(world.path("")).unwrap() {
        let drawn = entry.unwrap().path();
        let committed = root()
            .join("docs/pictures")
            .join(drawn.file_name().unwrap());
        assert!(
            std::fs::read(&drawn).unwrap() == std::fs::read(&committed).unwrap(),
            "{} differs; `benches/peers/plot` draws it again",
            committed.display()
        );
        count += 1;
    }
    assert_eq!(count, 5);
}

#[test]
fn the_simulation_of_a_fleet_is_that_of_its_inputs() {
    let world = World::new();
    let simulate = root().join("benches/fleet/simulate");
    let run = world
        .program(world.outside("bin/python3"), [simulate])
        .arguments([world.path("")])
        .run();
    assert_eq!(run.code, Some(0), "{run}");
    let page = std::fs::read_to_string(root().join("docs/scale.md")).unwrap();
    for table in run.stdout.trim_end().split("\n\n") {
        assert!(page.contains(table), "`docs/scale.md` lacks:\n{table}");
    }
    let committed = root().join("docs/pictures/fleet.svg");
    assert!(
        std::fs::read(world.path("fleet.svg")).unwrap() == std::fs::read(committed).unwrap(),
        "`benches/fleet/simulate` draws it again"
    );
}

#[test]
fn each_picture_has_colours_for_dark_pages() {
    for entry in std::fs::read_dir(root().join("docs/pictures")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("@media (prefers-color-scheme: dark)") && text.contains("<title>"),
            "{}",
            path.display()
        );
    }
}
