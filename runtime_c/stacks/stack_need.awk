# Bytes of stack that functions of a linked program need: the deepest path of calls from each, with the frames and the
# calls that the disassembly shows, whatever compiled them. check_stacks.sh runs this.
#
#   objdump -d PROGRAM | awk -v stacks="F:1024 G?:2048" -f stack_need.awk
#
# Prints the need and the deepest path of each function of `stacks`. Exits with 1, after lines that begin with "error:", if
#   - a need is above the number behind the function's name,
#   - a function calls itself, directly or through others,
#   - a call or a jump goes through a pointer, or the stack pointer is set, in a way that is not understood.
# More settings:
#   pointers="F=G F=H?"  what the calls through pointers in F reach
#   vendor="^pi_"        names of functions of an SDK: they and what only they call count as far as it is seen, and a
#                        line that begins with "note:" says what is not
# A name with `?` may be missing in the program.
#
# The text of objdump for RISC-V of binutils 2.28 and later is understood, with aliases of instructions (its default).
# Between a store of the stack pointer outside of the stack and its load from the same offset it may be anything (kernels
# of the cluster's cores use it as one more register there), and nothing may be called.

BEGIN {
    FS = "\t"
    functions = failed = 0
    STORES = "^(p\\.|cv\\.)?s[bhw]$"
}

# "1c011ac0 <cluster_serve>:"
/^[0-9a-f]+ <.*>:$/ {
    split($0, words, " ")
    label = substr($0, index($0, "<") + 1)
    sub(/>:$/, "", label)
    if (label !~ /^(\.L|\$)/)
        begin_function(label, key(words[1]))
    next
}

# "1c011ac0:	7179                	addi	sp,sp,-48"
/^ *[0-9a-f]+:\t/ && functions > 0 {
    address = $1
    gsub(/[ :]/, "", address)
    instruction(address, $3, $4)
}

END {
    if (functions == 0)
        fail("found no disassembly of a program, allowed the output of objdump -d")
    else
        report()
    exit failed
}

function begin_function(label, start) {
    current = ++functions
    name[current] = label
    number[start] = current
    beginning = start
    by_name[label] = current
    depth = frame[current] = edges[current] = after_jump = 0
    parked = pc_register = ""
    split("", known)     # depth at an address, by jumps forward
    split("", constants) # in registers
}

function instruction(address, mnemonic, operands,    comment, parts, first) {
    if (after_jump) {
        # Reached by a jump from before, or from further down: then with the whole frame, to be safe.
        depth = (address in known) ? known[address] : frame[current]
        after_jump = 0
        split("", constants)
    }
    comment = ""
    if (match(operands, / *#.*/)) {
        comment = substr(operands, RSTART)
        operands = substr(operands, 1, RSTART - 1)
    }
    sub(/^c\./, "", mnemonic)
    split(operands, parts, ",")
    first = parts[1]
    if (mnemonic ~ /^(jal|j|jalr|jr|ret|mret|tail|call)$/ || mnemonic ~ /^(b[a-z]+|p\.b(eq|ne)imm)$/)
        jump(mnemonic, operands, first, comment)
    else if (first == "sp")
        stack_pointer(mnemonic, parts)
    pc_register = mnemonic == "auipc" ? first : ""
    if (mnemonic == "li")
        constants[first] = signed(integer(parts[2]))
    else if (mnemonic == "lui")
        constants[first] = signed(integer(parts[2]) * 4096)
    else if (mnemonic ~ /^addi?$/ && (first in constants) && parts[2] == first && is_integer(parts[3]))
        constants[first] += integer(parts[3])
    else if (mnemonic !~ STORES)
        delete constants[first]
}

# Follow an instruction whose first operand is the stack pointer.
function stack_pointer(mnemonic, parts,    bytes) {
    if (mnemonic ~ STORES) {
        if (parked == "" && mnemonic == "sw" && parts[2] !~ /\(sp\)/)
            parked = "at " offset_of(parts[2])
        return
    }
    if (parked != "") {
        if (mnemonic == "lw" && "at " offset_of(parts[2]) == parked)
            parked = ""
        return
    }
    if (mnemonic ~ /^add(i|i16sp)?$/ && parts[2] == "sp" && is_integer(parts[3]))
        bytes = -integer(parts[3])
    else if (mnemonic == "addi16sp" && is_integer(parts[2]))
        bytes = -integer(parts[2])
    else if (mnemonic ~ /^(add|sub)$/ && parts[2] == "sp" && (parts[3] in constants))
        bytes = mnemonic == "sub" ? constants[parts[3]] : -constants[parts[3]]
    else {
        unclear[current] = "sets the stack pointer by " mnemonic
        return
    }
    depth += bytes
    if (depth > frame[current])
        frame[current] = depth
}

function jump(mnemonic, operands, first, comment,    is_call, target, start, key_of_target, base) {
    is_call = mnemonic ~ /^(jal|jalr|call)$/ && first != "zero"
    if (mnemonic == "ret" || mnemonic == "mret" || (mnemonic == "jr" && operands == "ra")) {
        after_jump = 1
        return
    }
    if (is_call && (operands ~ /^(t0|t1),/))
        unclear[current] = "calls with the link register " first
    else if (is_call && parked != "")
        unclear[current] = "calls while the stack pointer is in use as another register"
    if (mnemonic ~ /^(jalr|jr)$/) {
        base = first
        if (match(operands, /\([a-z0-9]+\)/))
            base = substr(operands, RSTART + 1, RLENGTH - 2)
        target = base == pc_register ? comment : ""
    } else
        target = operands
    if (!match(target, /[0-9a-f]+ <[^>]*>/)) {
        add_edge("", is_call ? "a call" : "a jump")
        after_jump = !is_call
        return
    }
    target = substr(target, RSTART, RLENGTH)
    start = start_of(target)
    sub(/ .*/, "", target)
    key_of_target = key(target)
    # A jump into the middle of another function comes back from a part of it that the compiler put elsewhere.
    if (is_call || (start != beginning && start == key_of_target))
        add_edge(start, "")
    else if (!(target in known) || known[target] < depth)
        known[target] = depth
    if (mnemonic ~ /^(j|jr|tail)$/ || (mnemonic == "jal" && first == "zero"))
        after_jump = 1
}

# Return the key of the function that "1c0103f2 <run+0x10>" lies in.
function start_of(target,    offset, address) {
    address = target
    sub(/ .*/, "", address)
    if (!match(target, /\+0x[0-9a-f]+>$/))
        return key(address)
    offset = substr(target, RSTART + 3, RLENGTH - 4)
    return sprintf("%.0f", hex(address) - hex(offset))
}

function add_edge(start, pointer,    n) {
    n = ++edges[current]
    edge_to[current, n] = start
    edge_depth[current, n] = depth
    edge_pointer[current, n] = pointer
}

function report(    n, i, parts, pair) {
    n = split(pointers, parts, " ")
    for (i = 1; i <= n; ++i) {
        split(parts[i], pair, "=")
        if (is_there(pair[2]))
            reached[pair[1], ++reaches[pair[1]]] = by_name[plain(pair[2])]
    }
    n = split(stacks, parts, " ")
    for (i = 1; i <= n; ++i) {
        split(parts[i], pair, ":")
        if (is_there(pair[1]))
            mark_own(by_name[plain(pair[1])])
    }
    for (i = 1; i <= n; ++i) {
        split(parts[i], pair, ":")
        if (plain(pair[1]) in by_name)
            hold(by_name[plain(pair[1])], pair[2] + 0)
    }
}

# Hold what a function needs to a limit.
function hold(from, limit,    path, f) {
    need(from)
    path = name[from] " " at_call[from]
    for (f = deepest[from]; f != ""; f = deepest[f])
        path = path " + " name[f] " " at_call[f]
    if (needed[from] > limit)
        fail("a stack of " limit " bytes: found a need of " needed[from] " bytes, allowed " limit ": " path)
    else
        print "stack: at most " needed[from] " of " limit " bytes: " path
}

# Tell whether the program has a function; one without `?` has to be there.
function is_there(spelling) {
    if (plain(spelling) in by_name)
        return 1
    if (spelling !~ /\?$/)
        fail("found no function " spelling " in the program")
    return 0
}

function plain(spelling) {
    sub(/\?$/, "", spelling)
    return spelling
}

# Mark what a function reaches without passing through the SDK's.
function mark_own(f,    n, callee) {
    if (own[f] || is_vendors(f))
        return
    own[f] = 1
    for (n = 1; n <= edges[f]; ++n) {
        if (edge_pointer[f, n] == "" && (callee = number[edge_to[f, n]]) != "")
            mark_own(callee)
    }
    for (n = 1; n <= reaches[name[f]]; ++n)
        mark_own(reached[name[f], n])
}

function is_vendors(f) {
    return vendor != "" && name[f] ~ vendor
}

# Return what a function needs, itself included; sets deepest[] and at_call[] on its deepest path.
function need(f,    n, m, callee) {
    if (f in needed)
        return needed[f]
    if (walking[f]) {
        complain(f, "calls itself, directly or through others")
        return 0
    }
    walking[f] = 1
    if (f in unclear)
        complain(f, unclear[f])
    best[f] = at_call[f] = frame[f]
    deepest[f] = ""
    for (n = 1; n <= edges[f]; ++n) {
        if (edge_pointer[f, n] == "") {
            callee = number[edge_to[f, n]]
            if (callee == "")
                complain(f, "calls an address that is no function")
            else
                consider(f, callee, edge_depth[f, n])
        } else if (reaches[name[f]] == 0)
            complain(f, "has " edge_pointer[f, n] " through a pointer")
        else
            for (m = 1; m <= reaches[name[f]]; ++m)
                consider(f, reached[name[f], m], edge_depth[f, n])
    }
    walking[f] = 0
    return needed[f] = best[f]
}

function consider(f, callee, depth_there,    sum) {
    sum = depth_there + need(callee)
    if (sum > best[f]) {
        best[f] = sum
        deepest[f] = callee
        at_call[f] = depth_there
    }
}

function complain(f, what) {
    if (own[f])
        fail(name[f] " " what ": its need of stack is not known")
    else
        print "note: " name[f] " " what ", which is not counted"
}

function fail(text) {
    print "error: " text
    failed = 1
}

# Return what 32 bits are as a signed number.
function signed(number) {
    return number >= 2147483648 ? number - 4294967296 : number
}

function is_integer(text) {
    return text ~ /^-?(0x[0-9a-f]+|[0-9]+)$/
}

function integer(text,    sign) {
    sign = 1
    if (sub(/^-/, "", text))
        sign = -1
    return text ~ /^0x/ ? sign * hex(substr(text, 3)) : sign * text
}

# Return the key of an address: the same for all ways to write it.
function key(address) {
    return sprintf("%.0f", hex(address))
}

function hex(digits,    i, result) {
    result = 0
    for (i = 1; i <= length(digits); ++i)
        result = result * 16 + index("0123456789abcdef", substr(digits, i, 1)) - 1
    return result
}

function offset_of(operand) {
    sub(/\(.*/, "", operand)
    return operand == "" ? "0" : operand
}
