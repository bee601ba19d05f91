# Puts the environment that this file is in before all else on PATH. To be sourced by fish:
#
#     source ENVIRONMENT/bin/activate.fish
#
# The environment may stand anywhere: this file asks the shell where it was read from. `deactivate` puts back what was there before.

set -l file (status filename)
if not string match -q '/*' -- "$file"; and test -f "$PWD/$file"
    set file "$PWD/"(string replace -r '^\./' '' -- "$file")
end
# Python finds the environment by the path that it is called by, and by nothing else. So links to this file or to its directory are
# followed, and `..` is what it is to the kernel.
set -l directory (string replace -r '/[^/]*$' '' -- "$file")
if test -L "$file"; or test -L "$directory"; or not string match -q '/*' -- "$file"; or string match -qr '/\.?\.?/' -- "$file"
    set file (realpath -- "$file" 2>/dev/null)
    set directory (string replace -r '/[^/]*$' '' -- "$file")
end
set -l problem
if not string match -q '*/bin/*' -- "$file"
    set problem 'this shell does not tell where the file is; put the directory that it is in first on PATH instead'
else if string match -q '*:*' -- "$directory"
    set problem "a directory on PATH cannot have a `:` in its name, as `$directory` has"
else if not test -x "$directory/python"
    set problem "there is no python in `$directory`"
end

if test -n "$problem"
    echo "activate.fish: $problem" >&2
    false
else
    # What another environment has changed, one of another tool included.
    if set -q VIRTUAL_ENV; and functions -q deactivate
        deactivate nondestructive
    end

    function deactivate -d 'Leave the environment'
        if set -q _OLD_VIRTUAL_PATH
            set -gx PATH $_OLD_VIRTUAL_PATH
            set -e _OLD_VIRTUAL_PATH
        end
        if set -q _OLD_VIRTUAL_PYTHONHOME
            set -gx PYTHONHOME $_OLD_VIRTUAL_PYTHONHOME
            set -e _OLD_VIRTUAL_PYTHONHOME
        end
        set -e _OLD_FISH_PROMPT_OVERRIDE
        if functions -q _old_fish_prompt
            functions -e fish_prompt _vpython_status
            functions -c _old_fish_prompt fish_prompt
            functions -e _old_fish_prompt
        end
        set -e VIRTUAL_ENV
        set -e VIRTUAL_ENV_PROMPT
        if test "$argv[1]" != nondestructive
            functions -e deactivate
        end
    end

    set -gx VIRTUAL_ENV (string replace -r '/bin$' '' -- $directory)
    if string match -q '*/v1/envs/*' -- $VIRTUAL_ENV
        set -gx VIRTUAL_ENV_PROMPT vpython
    else
        set -gx VIRTUAL_ENV_PROMPT (string replace -r '.*/' '' -- $VIRTUAL_ENV)
    end
    set -g _OLD_VIRTUAL_PATH $PATH
    set -gx PATH $directory $PATH
    if set -q PYTHONHOME
        set -g _OLD_VIRTUAL_PYTHONHOME $PYTHONHOME
        set -e PYTHONHOME
    end
    if test -z "$VIRTUAL_ENV_DISABLE_PROMPT"; and functions -q fish_prompt
        # Under these names the activation of other tools knows them.
        set -g _OLD_FISH_PROMPT_OVERRIDE $VIRTUAL_ENV
        functions -c fish_prompt _old_fish_prompt
        function _vpython_status
            return $argv[1]
        end
        function fish_prompt
            # What the outer prompt tells of the last command is still true.
            set -l last $status
            printf '(%s) ' $VIRTUAL_ENV_PROMPT
            _vpython_status $last
            _old_fish_prompt
        end
    end
    true
end
