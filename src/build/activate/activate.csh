# Puts the environment that this file is in before all else on PATH. To be sourced by csh or tcsh:
#
#     source ENVIRONMENT/bin/activate.csh
#
# The environment may stand anywhere: this file looks which file the shell reads. `deactivate` puts back what was there before.

# The shell has it open, with the highest number. The last of the names is that of this file, or of one that it was sourced by.
set _vpython_script = "`readlink /proc/$$/fd/* | grep '/bin/activate[.]csh"\$"' | tail -n 1`"
set _vpython_problem = ""
if ( "$_vpython_script" == "" ) then
    set _vpython_problem = "this shell does not tell where the file is; put the directory that it is in first on PATH instead"
else if ( "$_vpython_script" =~ *:* ) then
    set _vpython_problem = "a directory on PATH cannot have a colon in its name, as that of the file has"
else if ( ! -x $_vpython_script:h:q/python ) then
    set _vpython_problem = "there is no python beside the file"
endif

if ( "$_vpython_problem" != "" ) then
    sh -c 'echo "activate.csh: $0" >&2' "$_vpython_problem"
    unset _vpython_script _vpython_problem
else
    alias deactivate 'test $?_OLD_VIRTUAL_PATH = 1 && setenv PATH $_OLD_VIRTUAL_PATH:q; unset _OLD_VIRTUAL_PATH; test $?_OLD_VIRTUAL_PYTHONHOME = 1 && setenv PYTHONHOME $_OLD_VIRTUAL_PYTHONHOME:q; unset _OLD_VIRTUAL_PYTHONHOME; test $?_OLD_VIRTUAL_PROMPT = 1 && set prompt = $_OLD_VIRTUAL_PROMPT:q; unset _OLD_VIRTUAL_PROMPT; unsetenv VIRTUAL_ENV; unsetenv VIRTUAL_ENV_PROMPT; rehash; test "\!:*" = nondestructive || unalias deactivate'
    # What another environment has changed, one of another tool included.
    deactivate nondestructive
    setenv VIRTUAL_ENV $_vpython_script:h:h:q
    setenv VIRTUAL_ENV_PROMPT $_vpython_script:h:h:t:q
    if ( "$_vpython_script" =~ */v1/envs/* ) setenv VIRTUAL_ENV_PROMPT vpython
    unset _vpython_script _vpython_problem
    set _OLD_VIRTUAL_PATH = $PATH:q
    setenv PATH $VIRTUAL_ENV:q/bin:$PATH:q
    if ( $?PYTHONHOME ) then
        set _OLD_VIRTUAL_PYTHONHOME = $PYTHONHOME:q
        unsetenv PYTHONHOME
    endif
    if ( $?prompt && ! $?VIRTUAL_ENV_DISABLE_PROMPT ) then
        set _OLD_VIRTUAL_PROMPT = $prompt:q
        # The shell takes these for more than a part of a name.
        if ( "$VIRTUAL_ENV_PROMPT" =~ *[%\!\\]* ) then
            set prompt = "(environment) $prompt:q"
        else
            set prompt = "($VIRTUAL_ENV_PROMPT) $prompt:q"
        endif
    endif
    rehash
endif
