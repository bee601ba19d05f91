# Puts the environment that this file is in before all else on PATH. To be sourced by sh, bash, dash, ksh or zsh:
#
#     . ENVIRONMENT/bin/activate
#
# The environment may stand anywhere: this file asks the shell where it was read from. `deactivate` puts back what was there before.

deactivate () {
    if [ "${_OLD_VIRTUAL_PATH+set}" = set ]; then
        PATH=$_OLD_VIRTUAL_PATH
        export PATH
        unset _OLD_VIRTUAL_PATH
    fi
    if [ "${_OLD_VIRTUAL_PYTHONHOME+set}" = set ]; then
        PYTHONHOME=$_OLD_VIRTUAL_PYTHONHOME
        export PYTHONHOME
        unset _OLD_VIRTUAL_PYTHONHOME
    fi
    if [ "${_OLD_VIRTUAL_PS1+set}" = set ]; then
        PS1=$_OLD_VIRTUAL_PS1
        unset _OLD_VIRTUAL_PS1
    fi
    unset VIRTUAL_ENV VIRTUAL_ENV_PROMPT
    # Where the shell remembers programs, it is to look for them again.
    hash -r 2>/dev/null || true
    if [ "${1-}" != nondestructive ]; then
        unset -f deactivate
    fi
}

# Sets _vpython_script to the path of this file, as far as the shell tells.
_vpython_find_script () {
    _vpython_script=
    # Each of these is an error to the others.
    case ${BASH_VERSION:+bash}${ZSH_VERSION:+zsh}${KSH_VERSION-} in
    bash) eval '_vpython_script=${BASH_SOURCE[0]}' ;;
    zsh) eval '_vpython_script=${(%):-%x}' ;;
    *93*) eval '_vpython_script=${.sh.file}' ;;
    esac
    if [ -z "$_vpython_script" ] && [ -r /proc/self/stat ]; then
        # Others have the file open that they read, with the highest number. `read` is a part of the shell, so that it is its own
        # process that it reads of, also where `$$` is that of a parent.
        _vpython_highest=2
        read -r _vpython_pid _vpython_rest </proc/self/stat
        for _vpython_open in "/proc/$_vpython_pid/fd"/*; do
            if [ "${_vpython_open##*/}" -gt "$_vpython_highest" ] && [ -f "$_vpython_open" ]; then
                case $(readlink "$_vpython_open") in
                */bin/activate)
                    _vpython_highest=${_vpython_open##*/}
                    _vpython_script=$(readlink "$_vpython_open")
                    ;;
                esac
            fi
        done
        unset _vpython_highest _vpython_pid _vpython_rest _vpython_open
    fi
}

_vpython_find_script
unset -f _vpython_find_script
if [ -L "$_vpython_script" ]; then
    _vpython_script=$(readlink -f "$_vpython_script")
fi
case $_vpython_script in
'' | /*) ;;
*) _vpython_script=$PWD/$_vpython_script ;;
esac
case $_vpython_script in
*/../* | */./*) _vpython_script=$(CDPATH= cd "${_vpython_script%/*}" && pwd)/activate ;;
esac
if [ -x "${_vpython_script%/*}/python" ] && [ "${_vpython_script%/bin/*}" != "$_vpython_script" ]; then
    deactivate nondestructive
    VIRTUAL_ENV=${_vpython_script%/bin/*}
    case $VIRTUAL_ENV in
    */v1/envs/*) VIRTUAL_ENV_PROMPT=vpython ;;
    *) VIRTUAL_ENV_PROMPT=${VIRTUAL_ENV##*/} ;;
    esac
    export VIRTUAL_ENV VIRTUAL_ENV_PROMPT
    _OLD_VIRTUAL_PATH=${PATH-}
    PATH=$VIRTUAL_ENV/bin${PATH:+:$PATH}
    export PATH
    if [ "${PYTHONHOME+set}" = set ]; then
        _OLD_VIRTUAL_PYTHONHOME=$PYTHONHOME
        unset PYTHONHOME
    fi
    if [ -z "${VIRTUAL_ENV_DISABLE_PROMPT-}" ]; then
        _OLD_VIRTUAL_PS1=${PS1-}
        PS1="($VIRTUAL_ENV_PROMPT) ${PS1-}"
    fi
    hash -r 2>/dev/null || true
    unset _vpython_script
else
    unset _vpython_script
    unset -f deactivate
    echo 'activate: this shell does not tell where the file is; put the folder that it is in first on PATH instead' >&2
    # As the status of the file.
    false
fi
