//! The runs that compile what their script imports.

use super::Scene;
use crate::support::Wheel;

impl Scene {
    /// A first launch that compiles what its script imports.
    pub fn compiling() -> Self {
        let mut scene = Self::cold("a first launch that compiles", &["tool.py"]);
        let world = &scene.world;
        // Less would be left to python.
        let large = "#".repeat(300_000);
        world.wheel(&Wheel::module("c", "3").file("large.py", large));
        let script = std::fs::read_to_string(world.path("tool.py")).unwrap();
        world.write("tool.py", script.replace("import a,", "import large, a,"));
        // Also on a machine with one processor.
        scene.variables.push(("RAYON_NUM_THREADS", "2".to_owned()));
        scene
    }
}
