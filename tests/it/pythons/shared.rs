//! Interpreters from images in shared roots.

use std::os::unix::fs::PermissionsExt;

use super::{Image, WHERE, launch, names, redacted, world};

#[test]
fn an_interpreter_in_a_shared_root_is_used_where_it_is() {
    let world = world();
    let shared = world.outside("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o755)).unwrap();
    let fill = launch(&world, &["-vpython-tool", "install", "-c", WHERE]);
    let filled = fill.env("VPYTHON_VIRTUALENV_ROOT", &shared).run();
    assert_eq!(filled.code, Some(0), "{filled}");
    let mode = std::fs::metadata(shared.join("v1/pythons")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o755);
    // Neither the layout nor a network is needed.
    std::fs::remove_dir_all(world.path("layout")).unwrap();
    let run = |words: &[&str]| {
        let launch = launch(&world, words).env("VPYTHON_SHARED_ROOTS", &shared);
        redacted(launch.run())
    };
    let expected = "[WORLD]/shared/v1/pythons/[IMAGE]\n";
    run(&["-c", WHERE]).prints(expected);
    // Another environment, in the caller's own store.
    std::fs::remove_dir_all(shared.join("v1/envs")).unwrap();
    run(&["-c", WHERE]).prints(expected);
    run(&["-c", WHERE]).prints(expected);
    assert_eq!(names(&world.store("pythons")), [""; 0]);
    assert_eq!(names(&world.store("envs")).len(), 1);
    // Without the shared root, the environment is rebuilt, and needs the image.
    std::fs::remove_dir_all(&shared).unwrap();
    Image::get().put(&world);
    let alone = redacted(launch(&world, &["-c", WHERE]).run());
    assert_eq!(alone.stdout, super::IN_STORE, "{alone}");
}
