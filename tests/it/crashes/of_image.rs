//! The runs that unpack an interpreter from an image.

use super::Scene;
use crate::pythons::Image;

/// The variable that names the interpreter.
const INTERPRETER: &str = "VPYTHON_INTERPRETER";

impl Scene {
    /// A first launch with an interpreter from an image layout.
    pub fn with_interpreter() -> Self {
        let mut scene = Self::cold("a first launch with an interpreter", &["tool.py"]);
        let image = Image::get();
        image.put(&scene.world);
        scene.variables.push((INTERPRETER, image.reference()));
        scene
    }

    /// Checks whether the interpreter is from an image.
    pub fn has_interpreter(&self) -> bool {
        self.variables.iter().any(|(name, _)| *name == INTERPRETER)
    }
}
