"""`asyncfind completion SHELL`: a script that lets a shell ask `complete` what may come next."""

from typing import Final

import click

from asyncfind.errors import InvalidRequest
from asyncfind.safe import safe

__all__ = ["SCRIPTS", "completion"]

_BASH: Final = r"""# Completion of asyncfind for bash. In ~/.bashrc:
# eval "$(asyncfind completion bash)"
_asyncfind() {
    local kind prefix line word=$2
    COMPREPLY=()
    {
        IFS= read -r line || return 0
        kind=${line%% *} prefix=
        [[ $line == *" "* ]] && prefix=${line#* }
        case $kind in
            values | parts)
                while IFS= read -r line; do
                    COMPREPLY+=("$line")
                done
                [[ $kind == parts ]] && compopt -o nospace 2>/dev/null
                ;;
            files | directories)
                local action=-f
                [[ $kind == directories ]] && action=-d
                compopt -o filenames 2>/dev/null
                while IFS= read -r line; do
                    COMPREPLY+=("$prefix$line")
                done < <(compgen "$action" -- "${word#"$prefix"}")
                ;;
        esac
    } < <("${1/#\~/$HOME}" __complete bash "$word" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    return 0
}
complete -F _asyncfind asyncfind
"""

_ZSH: Final = r"""#compdef asyncfind
# Completion of asyncfind for zsh. In ~/.zshrc, behind compinit:
# eval "$(asyncfind completion zsh)"
# Or as a file named _asyncfind in a directory of $fpath.
_asyncfind() {
    emulate -L zsh
    local kind prefix line tab=$'\t' program=${(Q)words[1]}
    local -a answer before candidates shown
    (( CURRENT > 2 )) && before=("${(@Q)words[2,CURRENT-1]}")
    line=$(command "$program" __complete zsh "${before[@]}" "${(Q)PREFIX}" 2>/dev/null)
    answer=("${(@f)line}")
    kind=${answer[1]%% *} prefix=
    [[ ${answer[1]} == *" "* ]] && prefix=${answer[1]#* }
    shift answer
    case $kind in
        values | parts)
            for line in "${answer[@]}"; do
                candidates+=("${line%%${tab}*}")
                shown+=("${line%%${tab}*}  ${line#*${tab}}")
            done
            if [[ $kind == parts ]]; then
                compadd -S '' -l -d shown -a candidates
            else
                compadd -l -d shown -a candidates
            fi
            ;;
        files)
            [[ -n $prefix ]] && compset -P "${(b)prefix}"
            _files
            ;;
        directories)
            [[ -n $prefix ]] && compset -P "${(b)prefix}"
            _files -/
            ;;
    esac
}
if [[ ${funcstack[1]} == _asyncfind ]]; then
    _asyncfind "$@"
else
    compdef _asyncfind asyncfind
fi
"""

_FISH: Final = r"""# Completion of asyncfind for fish. In ~/.config/fish/config.fish:
# asyncfind completion fish | source
# fish itself sets a blank behind a word, unless that ends in = or . or the like.
function __asyncfind_complete
    set -l before (commandline --current-process --tokenize --cut-at-cursor)
    set -l word (commandline --current-token --cut-at-cursor)
    set -l program $before[1]
    set -e before[1]
    set -l answer (command $program __complete fish $before "$word" 2>/dev/null)
    set -l kind (string split --max 1 ' ' -- $answer[1])
    set -e answer[1]
    switch $kind[1]
        case values parts
            string join \n -- $answer
        case files
            set -l rest (string sub --start (math (string length -- "$kind[2]") + 1) -- "$word")
            for name in (__fish_complete_path "$rest")
                printf '%s\n' "$kind[2]$name"
            end
        case directories
            set -l rest (string sub --start (math (string length -- "$kind[2]") + 1) -- "$word")
            for name in (__fish_complete_directories "$rest" '')
                printf '%s\n' "$kind[2]$name"
            end
    end
end
complete --command asyncfind --no-files --arguments '(__asyncfind_complete)'
"""

SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
"""Scripts by shell; their first lines say where they go."""


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("shell", required=False, metavar="bash|zsh|fish")
def completion(shell: str | None) -> int:
    """Print a script that completes command lines of asyncfind in a shell.

    It completes options, their values, names of files, and DICOM keywords behind -k.

    \b
    bash:  eval "$(asyncfind completion bash)"                in ~/.bashrc
    zsh:   eval "$(asyncfind completion zsh)"                 in ~/.zshrc, behind compinit
    fish:  asyncfind completion fish | source                 in ~/.config/fish/config.fish
    """
    if shell not in SCRIPTS:
        what = (
            "no shell named" if shell is None else f"there is no completion for '{safe(shell, 64)}'"
        )
        raise InvalidRequest(what, f"Name one of {', '.join(SCRIPTS)}.")
    click.echo(SCRIPTS[shell], nl=False)
    return 0
