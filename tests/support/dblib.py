# A client of a TDS 5.0 server by FreeTDS' DB-Library, for the tests: python3 -u -c THIS server user password
#
# Reads commands from standard input, one a line:
#   exec SQL        sends a batch and reads its results
#   cancel N SQL    sends a batch, reads N rows, and cancels the rest
#   send SQL        sends a batch; "cancel" (nothing behind it) cancels it before anything is read
#   call NAME       calls a procedure with parameters of many types, and reads its results
# Prints, one a line: "ready" after the login; per result "row A|B" and "count N"; "status N", "returned NAME=VALUE";
# "message NUMBER SEVERITY TEXT"; "error NUMBER TEXT"; at the end of a command "sent", "cancelled" or "end".
import ctypes
import struct
import sys

library = ctypes.CDLL("libsybdb.so.5")
for name in ("dblogin", "dbopen", "dbdata", "dbretdata", "dbretname"):
    getattr(library, name).restype = ctypes.c_void_p
SUCCEED, REG_ROW = 1, -1
INT1, INT2, INT4, INT8, FLT8, BIT = 48, 52, 56, 127, 62, 50
VARCHAR, BINARY = 39, 45


def on_message(process, number, state, severity, text, server, procedure, line):
    print("message", number, severity, text.decode())
    return 0


def on_error(process, severity, number, os_number, text, os_text):
    print("error", number, text.decode())
    return 2  # INT_CANCEL


pointer, integer, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
handlers = [
    ctypes.CFUNCTYPE(integer, pointer, integer, integer, integer, text, text, text, integer)(on_message),
    ctypes.CFUNCTYPE(integer, pointer, integer, integer, integer, text, text)(on_error),
]
library.dbinit()
library.dbmsghandle(handlers[0])
library.dberrhandle(handlers[1])
server, user, password = (word.encode() for word in sys.argv[1:4])
login = pointer(library.dblogin())
library.dbsetlname(login, user, 2)
library.dbsetlname(login, password, 3)
process = pointer(library.dbopen(login, server))
if not process.value:
    sys.exit("the login has failed")
print("ready")


def value(kind, data, size):
    if not data:
        return "NULL"
    data = ctypes.string_at(data, size)
    formats = {INT1: "<B", INT2: "<h", INT4: "<i", INT8: "<q", FLT8: "<d", BIT: "<B"}
    return str(struct.unpack(formats[kind], data)[0]) if kind in formats else data.decode()


def row():
    columns = range(1, library.dbnumcols(process) + 1)
    cells = [value(library.dbcoltype(process, i), library.dbdata(process, i), library.dbdatlen(process, i)) for i in columns]
    print("row", "|".join(cells))


def results(limit=None):
    while library.dbresults(process) == SUCCEED:
        while library.dbnextrow(process) == REG_ROW:
            row()
            limit = limit and limit - 1
            if limit == 0:
                library.dbcancel(process)
                return print("cancelled")
        print("count", library.dbcount(process))
    if library.dbhasretstat(process):
        print("status", library.dbretstatus(process))
    for i in range(1, library.dbnumrets(process) + 1):
        name = ctypes.string_at(library.dbretname(process, i)).decode()
        kind, size = library.dbrettype(process, i), library.dbretlen(process, i)
        print(f"returned {name}={value(kind, library.dbretdata(process, i), size)}")
    print("end")


def call(name):
    library.dbrpcinit(process, name, 0)
    small, large = ctypes.c_int32(-7), ctypes.c_int64(1 << 40)
    parameters = [
        (b"@small", 0, INT4, -1, -1, ctypes.byref(small)),
        (b"@large", 0, INT8, -1, -1, ctypes.byref(large)),
        (b"@text", 0, VARCHAR, -1, 5, b"words"),
        (b"@none", 0, VARCHAR, -1, 0, None),
        (b"@raw", 0, BINARY, -1, 3, b"\x00\x01\xff"),
        (b"@out", 1, INT4, -1, 0, None),
    ]
    for parameter in parameters:
        assert library.dbrpcparam(process, *parameter) == SUCCEED
    library.dbrpcsend(process)
    library.dbsqlok(process)
    results()


for line in sys.stdin:
    command, _, rest = line.rstrip("\n").partition(" ")
    if command == "exec":
        library.dbcmd(process, rest.encode())
        library.dbsqlexec(process)
        results()
    elif command == "cancel" and rest:
        limit, _, sql = rest.partition(" ")
        library.dbcmd(process, sql.encode())
        library.dbsqlexec(process)
        results(int(limit))
    elif command == "cancel":
        library.dbcancel(process)
        print("cancelled")
    elif command == "send":
        library.dbcmd(process, rest.encode())
        library.dbsqlsend(process)
        print("sent")
    elif command == "call":
        call(rest.encode())
library.dbclose(process)
library.dbexit()
