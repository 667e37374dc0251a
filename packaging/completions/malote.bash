# shellcheck shell=bash
# Completions of malote for bash.  What there is to complete malote says itself
# (--words): a line for each word, with tabs between its fields.

# Takes from the words before the cursor what is asked for: sets `ask`, the
# command line that lists the words, and `given`, the arguments.
_malote_read_line()
{
	local i word
	ask=(malote) given=()
	for ((i = 1; i < cword; i++)); do
		word=${words[i]}
		case $word in
		--config | --state)
			[[ $word = --config ]] && ask+=("$word" "${words[i + 1]}")
			i=$((i + 1)) ;;
		--config=*) ask+=("$word") ;;
		-*) ;;
		*) given+=("${word//\\/}") ;;
		esac
	done
	ask=("${ask[@]/#\~/$HOME}")
}

# _malote_add WORD: if it begins as what was typed.
_malote_add()
{
	local quoted
	if [[ $1 = "${cur//\\/}"* ]]; then
		printf -v quoted %q "$1"
		COMPREPLY+=("${quoted#"$broken"}")
	fi
}

# Are more accounts an argument of the command that was given?
_malote_wants_account()
{
	local kind word most
	[[ ${#given[@]} = 0 ]] && return 0
	while IFS=$'\t' read -r kind word most _; do
		if [[ $kind = command && $word = "${given[0]}" ]]; then
			[[ $most = any || $most -ge ${#given[@]} ]]
			return
		fi
	done <<<"$list"
	return 0 # the first argument is an account itself
}

_malote_words()
{
	local kind word of wants=false
	[[ $cur != -* ]] && _malote_wants_account && wants=true
	while IFS=$'\t' read -r kind word _ _ of; do
		case $kind in
		command)
			[[ ${#given[@]} = 0 ]] && _malote_add "$word" ;;
		option)
			[[ $cur = -* ]] && [[ $of = - || $of = "${given[0]}" ]] &&
				_malote_add "$word" ;;
		word)
			[[ ${#given[@]} = 1 && $of = "${given[0]}" ]] &&
				_malote_add "$word" ;;
		account)
			$wants && [[ " ${given[*]} " != *" $word "* ]] &&
				_malote_add "$word" ;;
		esac
	done <<<"$list"
}

_malote()
{
	local cur prev words cword list breaks broken=
	local -a ask given
	_get_comp_words_by_ref -n '=:@' cur prev words cword || return
	case $prev in
	--config) compopt -o default; return ;;
	--state) compopt -o dirnames; return ;;
	esac
	# Of a word with one of these in it bash replaces only what is behind.
	breaks=${COMP_WORDBREAKS//[^=:@]/}
	[[ -n $breaks ]] && broken=${cur%"${cur##*["$breaks"]}"}
	_malote_read_line
	list=$("${ask[@]}" --words 2>/dev/null)
	[[ ${given[0]} = send ]] && compopt -o default
	_malote_words
}

complete -F _malote malote
