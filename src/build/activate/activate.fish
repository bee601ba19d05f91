# Puts the environment that this file is in before all else on PATH. To be sourced by fish:
#
#     source ENVIRONMENT/bin/activate.fish
#
# The environment may stand anywhere: this file asks the shell where it was read from. `deactivate` puts back what was there before.

function deactivate -d 'Leave the environment'
    if set -q _OLD_VIRTUAL_PATH
        set -gx PATH $_OLD_VIRTUAL_PATH
        set -e _OLD_VIRTUAL_PATH
    end
    if set -q _OLD_VIRTUAL_PYTHONHOME
        set -gx PYTHONHOME $_OLD_VIRTUAL_PYTHONHOME
        set -e _OLD_VIRTUAL_PYTHONHOME
    end
    if functions -q _vpython_outer_prompt
        functions -e fish_prompt
        functions -c _vpython_outer_prompt fish_prompt
        functions -e _vpython_outer_prompt
    end
    set -e VIRTUAL_ENV
    set -e VIRTUAL_ENV_PROMPT
    if test "$argv[1]" != nondestructive
        functions -e deactivate
    end
end

set -l file (status filename)
if not string match -q '/*' -- $file
    set file $PWD/$file
end
if test -L $file; or string match -q '*/../*' -- $file; or string match -q '*/./*' -- $file
    set file (realpath $file)
end
set -l environment (string replace -r '/bin/[^/]*$' '' -- $file)
if test -x $environment/bin/python
    deactivate nondestructive
    set -gx VIRTUAL_ENV $environment
    if string match -q '*/v1/envs/*' -- $environment
        set -gx VIRTUAL_ENV_PROMPT vpython
    else
        set -gx VIRTUAL_ENV_PROMPT (string replace -r '.*/' '' -- $environment)
    end
    set -g _OLD_VIRTUAL_PATH $PATH
    set -gx PATH $environment/bin $PATH
    if set -q PYTHONHOME
        set -g _OLD_VIRTUAL_PYTHONHOME $PYTHONHOME
        set -e PYTHONHOME
    end
    if test -z "$VIRTUAL_ENV_DISABLE_PROMPT"; and functions -q fish_prompt
        functions -c fish_prompt _vpython_outer_prompt
        function fish_prompt
            # What the outer prompt tells of the last command is still true.
            set -l last $status
            printf '(%s) ' $VIRTUAL_ENV_PROMPT
            test $last -eq 0; or begin
                function _vpython_status
                    return $argv[1]
                end
                _vpython_status $last
            end
            _vpython_outer_prompt
        end
    end
else
    functions -e deactivate
    echo "activate.fish: there is no environment around `$file`" >&2
    false
end
