//! The plots are those of the committed figures.

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
