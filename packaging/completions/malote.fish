# Completions of malote for fish.  What there is to complete malote says itself
# (--words): a line for each word, with tabs between its fields.

function __malote_complete
    set -l ask malote
    set -l given
    set -l words (commandline -opc)
    set -l i 2
    while test $i -le (count $words)
        switch $words[$i]
            case --config --state
                set -l next (math $i + 1)
                test $words[$i] = --config
                and set -a ask --config (string replace -r '^~' $HOME -- $words[$next])
                set i $next
            case '--config=*'
                set -a ask $words[$i]
            case '-*'
            case '*'
                set -a given $words[$i]
        end
        set i (math $i + 1)
    end
    set -l lines (command $ask --words 2>/dev/null)
    set -l most any
    for line in $lines
        set -l f (string split \t -- $line)
        test "$f[1]" = command -a "$f[2]" = "$given[1]"
        and set most $f[3]
    end
    for line in $lines
        set -l f (string split \t -- $line)
        switch $f[1]
            case command
                test (count $given) = 0
                and printf '%s\t%s\n' $f[2] $f[4]
            case option
                string match -q -- '-*' (commandline -ct)
                and contains -- $f[5] - $given[1]
                and printf '%s\t%s\n' $f[2] $f[4]
            case word
                test (count $given) = 1 -a "$f[5]" = "$given[1]"
                and echo $f[2]
            case account
                contains -- $f[2] $given
                and continue
                if test $most = any; or test $most -ge (count $given)
                    printf '%s\t%s\n' $f[2] $f[4]
                end
        end
    end
end

function __malote_before
    contains -- (commandline -opc)[-1] $argv
end

complete -c malote -f
complete -c malote -n 'not __malote_before --config --state' -a '(__malote_complete)'
complete -c malote -n '__malote_before --config' -F
complete -c malote -n '__fish_seen_subcommand_from send' -F
complete -c malote -n '__malote_before --state' -a '(__fish_complete_directories)'
