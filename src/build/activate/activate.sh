# Puts the environment that this file is in before all else on PATH. To be sourced by sh, bash, dash, ksh or zsh:
#
#     . ENVIRONMENT/bin/activate
#
# The environment may stand anywhere: this file asks the shell where it was read from. `deactivate` puts back what was there before.

# Sets _vpython_script to the path of this file, as far as the shell tells.
_vpython_find_script () {
    _vpython_script=
    # Each of these is an error to the others.
    case ${BASH_VERSION:+bash}${ZSH_VERSION:+zsh}${KSH_VERSION-} in
    bash) eval '_vpython_script=${BASH_SOURCE[0]-}' ;;
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
case $_vpython_script in
'' | /*) ;;
# Where the current directory was moved, its name is an old one.
*) if [ -f "$PWD/$_vpython_script" ]; then _vpython_script=$PWD/${_vpython_script#./}; fi ;;
esac
# Python finds the environment by the path that it is called by, and by nothing else. So links to this file or to its directory are
# followed, and `..` is what it is to the kernel.
case $_vpython_script in
/*/../* | /*/./* | /*//*) _vpython_script=$(readlink -f "$_vpython_script") ;;
/*)
    if [ -L "$_vpython_script" ] || [ -L "${_vpython_script%/*}" ]; then
        _vpython_script=$(readlink -f "$_vpython_script")
    fi
    ;;
?*) _vpython_script=$(readlink -f "./$_vpython_script") ;;
esac
_vpython_problem=
case $_vpython_script in
*:*/bin/*) _vpython_problem="a directory on PATH cannot have a \`:\` in its name, as \`${_vpython_script%/*}\` has" ;;
*/bin/*)
    if ! [ -x "${_vpython_script%/*}/python" ]; then
        _vpython_problem="there is no python in \`${_vpython_script%/*}\`"
    fi
    ;;
*) _vpython_problem='this shell does not tell where the file is; put the directory that it is in first on PATH instead' ;;
esac

if [ -z "$_vpython_problem" ]; then
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

    # What another environment has changed, one of another tool included.
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
    if [ -z "${VIRTUAL_ENV_DISABLE_PROMPT-}" ] && [ "${PS1+set}" = set ]; then
        _OLD_VIRTUAL_PS1=$PS1
        # Shells take these for more than a part of a name, and would even run commands.
        case $VIRTUAL_ENV_PROMPT in
        *\$* | *\`* | *\\* | *%* | *!*) PS1="(environment) $PS1" ;;
        *) PS1="($VIRTUAL_ENV_PROMPT) $PS1" ;;
        esac
    fi
    hash -r 2>/dev/null || true
    unset _vpython_script _vpython_problem
else
    echo "activate: $_vpython_problem" >&2
    unset _vpython_script _vpython_problem
    # As the status of the file.
    false
fi
