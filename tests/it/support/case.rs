//! A question to the resolver: wheels, requirements, and an interpreter that is the same on every
//! machine.

use super::{Expected, Fake, Outcome, Wheel, World};

/// A world with wheels and a spec. The interpreter is a fake CPython 3.11 on x86-64 Linux with
/// glibc 2.36.
pub struct Case {
    /// The world.
    pub world: World,
    /// The interpreter.
    pub fake: Fake,
    spec: &'static str,
}

impl Case {
    /// A `vpython.toml` with these `dependencies`.
    pub fn new(dependencies: &[&str], wheels: &[Wheel]) -> Self {
        Self::with_spec(
            "vpython.toml",
            &format!("dependencies = {dependencies:?}\n"),
            wheels,
        )
    }

    /// A spec of any kind.
    pub fn with_spec(name: &'static str, text: &str, wheels: &[Wheel]) -> Self {
        let world = World::new();
        for wheel in wheels {
            world.wheel(wheel);
        }
        world.write(name, text);
        let fake = Fake::new(&world, "3.11.99");
        Self {
            world,
            fake,
            spec: name,
        }
    }

    /// Installs, and returns the outcome.
    pub fn run(&self) -> Outcome {
        let launch = self
            .world
            .vpython(["-vpython-spec", self.spec, "-vpython-tool", "install"]);
        launch.env("VPYTHON_INTERPRETER", &self.fake.path).run()
    }

    /// Checks that the spec resolves to exactly these wheel files.
    #[track_caller]
    pub fn takes(&self, expected: &[&str]) {
        let outcome = self.run();
        outcome.installs("");
        let manifest =
            std::fs::read(format!("{}/vpython.json", outcome.raw_stdout.trim_end())).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        let wheels = manifest["wheels"].as_array().unwrap();
        let names: Vec<&str> = wheels
            .iter()
            .map(|wheel| wheel["file_name"].as_str().unwrap())
            .collect();
        assert_eq!(names, expected);
    }

    /// Checks that vpython fails with this message and builds nothing.
    #[track_caller]
    pub fn refuses(&self, message: impl Expected) {
        self.run().refuses(125, message);
        assert_eq!(self.world.leftovers(), [] as [std::path::PathBuf; 0]);
    }
}
