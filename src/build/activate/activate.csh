# Puts the environment that this file is in before all else on PATH. To be sourced by csh or tcsh:
#
#     source ENVIRONMENT/bin/activate.csh
#
# The environment may stand anywhere: this file looks which file the shell reads. `deactivate` puts back what was there before.

alias deactivate 'test $?_OLD_VIRTUAL_PATH = 1 && setenv PATH $_OLD_VIRTUAL_PATH:q; unset _OLD_VIRTUAL_PATH; test $?_OLD_VIRTUAL_PYTHONHOME = 1 && setenv PYTHONHOME $_OLD_VIRTUAL_PYTHONHOME:q; unset _OLD_VIRTUAL_PYTHONHOME; test $?_OLD_VIRTUAL_PROMPT = 1 && set prompt = $_OLD_VIRTUAL_PROMPT:q; unset _OLD_VIRTUAL_PROMPT; unsetenv VIRTUAL_ENV; unsetenv VIRTUAL_ENV_PROMPT; rehash; test "\!:*" = nondestructive || unalias deactivate'

set _vpython_script = "`readlink /proc/$$/fd/* | grep -F /bin/activate.csh | tail -n 1`"
if ( "$_vpython_script" == "" ) then
    unalias deactivate
    unset _vpython_script
    sh -c 'echo "activate.csh: this shell does not tell where the file is; put the folder that it is in first on PATH instead" >&2; exit 1'
else
    deactivate nondestructive
    setenv VIRTUAL_ENV $_vpython_script:h:h:q
    setenv VIRTUAL_ENV_PROMPT $_vpython_script:h:h:t:q
    if ( "$_vpython_script" =~ */v1/envs/* ) setenv VIRTUAL_ENV_PROMPT vpython
    unset _vpython_script
    set _OLD_VIRTUAL_PATH = $PATH:q
    setenv PATH $VIRTUAL_ENV:q/bin:$PATH:q
    if ( $?PYTHONHOME ) then
        set _OLD_VIRTUAL_PYTHONHOME = $PYTHONHOME:q
        unsetenv PYTHONHOME
    endif
    if ( $?prompt && ! $?VIRTUAL_ENV_DISABLE_PROMPT ) then
        set _OLD_VIRTUAL_PROMPT = $prompt:q
        set prompt = "($VIRTUAL_ENV_PROMPT) $prompt:q"
    endif
    rehash
endif
