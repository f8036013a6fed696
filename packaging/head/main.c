/* The entry of the executable: Python starts from the file that it is.
 *
 * Behind the code of this file lies a zip with the standard library, the packages and a start-up module (the
 * payload, see ../fuse). `zipimport` reads it in place, through /proc/self/exe: a new file that is renamed over this
 * one while it runs takes nothing away from it. Nothing is ever extracted.
 *
 * Two modes, told apart by the form of the arguments alone:
 *   bak       isolated: no variable of the environment changes which code runs
 *   python    an ordinary interpreter, for -c, -m, -, a script or a path inside a zip: what pip, `multiprocessing`
 *             and `subprocess` start when they start `sys.executable`
 *
 * A payload that is missing, cut or changed ends with one sentence and exit code 70, never with a traceback.
 */

#define _GNU_SOURCE
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_*: the only ones that allocate nothing, so a signal handler may use them */

#include <Python.h>

#include <openssl/sha.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#define EXIT_DAMAGED 70 /* EX_SOFTWARE of sysexits.h */

#define SELF "/proc/self/exe"
#define LIBRARY "/lib/python" Py_STRINGIFY(PY_MAJOR_VERSION) "." Py_STRINGIFY(PY_MINOR_VERSION)
#define PACKAGES "/site-packages"

/* What the fuse step knows of the payload: it finds the magic in the linked file and fills in the rest. */
struct slot {
    char magic[16];
    uint64_t length; /* little-endian, as every machine that we build for */
    unsigned char sha256[SHA256_DIGEST_LENGTH];
};

/* volatile, or the compiler would take the zeros for the truth. */
__attribute__((used)) static const volatile struct slot SLOT = {
    {'B', 'A', 'K', '-', 'P', 'A', 'Y', 'L', 'O', 'A', 'D', '-', '1', '\n', 1, 0}, 0, {0}};

/* How this program begins in memory, by the linker. */
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));

static struct {
    char name[PATH_MAX];         /* where the file lies: for people, and sys.executable */
    const char *root;            /* what the search paths begin with */
    const unsigned char *mapped; /* all of the file */
    size_t size;
    const unsigned char *payload;
    size_t length;
} self;

/* ---- One sentence, exit code 70 ---- */

static atomic_int terminal = STDERR_FILENO; /* another number while stderr is held back */

/* Only write(): also called in a signal handler and beside a running Python. */
static void say(const char *text) {
    for (size_t left = strlen(text); left > 0;) {
        ssize_t written = write(atomic_load(&terminal), text, left);
        if (written < 0 && errno != EINTR) return;
        if (written > 0) text += written, left -= (size_t)written;
    }
}

static _Noreturn void give_up(const char *what) {
    say("bak: ");
    say(self.name[0] ? self.name : "this file");
    say(" ");
    say(what);
    say("\n");
    _exit(EXIT_DAMAGED);
}

#define AGAIN "; install it again"

/* ---- The file and its payload ---- */

static void find_file(void) {
    ssize_t length = readlink(SELF, self.name, sizeof self.name - 1);
    struct stat status;
    if (length > 0) {
        self.name[length] = 0;
        self.root = SELF;
        /* Deleted or replaced: its only name left is this one. */
        if (stat(SELF, &status) == 0 && status.st_nlink == 0) strcpy(self.name, SELF);
        return;
    }
    /* No /proc: by the name that the kernel was given. An upgrade under load would break later imports. */
    const char *given = (const char *)getauxval(AT_EXECFN);
    if (!given || !realpath(given, self.name)) give_up("cannot find itself: /proc is not mounted");
    self.root = self.name;
}

static void map_file(void) {
    int file = open(self.root, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) < 0) give_up("cannot be read: its user needs read permission, too");
    self.size = (size_t)status.st_size;
    void *mapped = mmap(NULL, self.size, PROT_READ, MAP_PRIVATE, file, 0);
    if (mapped == MAP_FAILED) give_up("cannot be read");
    self.mapped = mapped;
    close(file);
    /* Started as `ld.so bak`, the file that runs is ld.so. */
    if (self.size < sizeof __ehdr_start || memcmp(mapped, &__ehdr_start, sizeof __ehdr_start) != 0)
        give_up("started bak, which has to be started by itself");
}

/* By the zip's end record: behind it come the section headers, whose size `strip` changes. */
static void find_payload(void) {
    enum { END = 22, FARTHEST = END + 65535 }; /* where zipimport looks, too */
    self.length = (size_t)SLOT.length;
    if (self.length == 0) give_up("is the interpreter alone: no payload was fused to it");
    for (size_t back = END; back <= FARTHEST && back <= self.size; back++) {
        const unsigned char *end = self.mapped + self.size - back;
        if (memcmp(end, "PK\5\6", 4) != 0) continue;
        if ((size_t)(end - self.mapped) + END < self.length) continue;
        self.payload = end + END - self.length;
        if (memcmp(self.payload, "PK\3\4", 4) == 0) return;
    }
    give_up("is damaged: its payload is missing or cut" AGAIN);
}

static int is_intact(void) {
    unsigned char found[SHA256_DIGEST_LENGTH], wanted[SHA256_DIGEST_LENGTH];
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, self.payload, self.length);
    SHA256_Final(found, &context);
    /* The mapping stays for a crash; its pages would count as memory of this process. */
    madvise((void *)self.mapped, self.size, MADV_DONTNEED);
    for (size_t i = 0; i < sizeof wanted; i++) wanted[i] = SLOT.sha256[i];
    return memcmp(found, wanted, sizeof wanted) == 0;
}

/* Returns if the payload is what was built: `zipimport` itself checks nothing. */
static void require_intact(void) {
    static atomic_int known;
    if (atomic_load(&known)) return;
    if (!is_intact()) give_up("is damaged: its payload does not have the checksum that it was built with" AGAIN);
    atomic_store(&known, 1);
}

/* ---- What Python says of itself when it can't start: held back until the payload is known to be whole ---- */

static int held = -1, stderr_itself = -1;

static void hold_stderr(void) {
    stderr_itself = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    held = memfd_create("stderr", MFD_CLOEXEC);
    if (stderr_itself < 0 || held < 0) return;
    atomic_store(&terminal, stderr_itself);
    dup2(held, STDERR_FILENO);
}

static void release_stderr(void) {
    if (atomic_load(&terminal) == STDERR_FILENO) return;
    dup2(stderr_itself, STDERR_FILENO);
    atomic_store(&terminal, STDERR_FILENO);
    char text[1024];
    lseek(held, 0, SEEK_SET);
    for (ssize_t length; (length = read(held, text, sizeof text - 1)) > 0;) {
        text[length] = 0;
        say(text);
    }
    close(held);
    /* stderr_itself stays open: the check may be about to write to it. Children don't get it. */
}

/* ---- The check beside the imports, for commands that serve or replace ---- */

static pthread_t checker;
static int is_checking; /* only the main thread looks at it */

static void *check(void *unused) {
    require_intact();
    return unused;
}

static int wants_check(int argc, char **argv) {
    static const char *const COMMANDS[] = {"start", "dev", "upgrade", "verify"};
    for (int i = 1; i < argc; i++)
        for (size_t j = 0; j < sizeof COMMANDS / sizeof *COMMANDS; j++)
            if (strcmp(argv[i], COMMANDS[j]) == 0) return 1; /* one too many costs 20 ms of another core */
    return 0;
}

static void start_check(void) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for Python's main thread */
    is_checking = pthread_create(&checker, NULL, check, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* _bak.verify() */
static PyObject *verify(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    int joins = is_checking;
    is_checking = 0;
    Py_BEGIN_ALLOW_THREADS
    if (joins) pthread_join(checker, NULL);
    require_intact();
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyMethodDef METHODS[] = {
    {"verify", verify, METH_NOARGS,
     "Return if the payload is whole; else end the process with a sentence and exit code 70."},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef MODULE = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_bak",
    .m_doc = "The executable that this Python runs from.",
    .m_size = 0,
    .m_methods = METHODS,
};

static PyObject *init_module(void) { return PyModuleDef_Init(&MODULE); }

/* ---- Crashes: changed bytecode may end in one ---- */

static const int CRASHES[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
enum { CRASH_COUNT = sizeof CRASHES / sizeof *CRASHES };
static struct sigaction before_us[CRASH_COUNT];

static void crashed(int number) {
    require_intact();
    /* Not the payload's fault: to whoever was here before us, faulthandler or the kernel. The first
       of them found us there and hands it back when it is through: then it is the kernel's. */
    for (int i = 0; i < CRASH_COUNT; i++) {
        if (CRASHES[i] != number) continue;
        sigaction(number, &before_us[i], NULL);
        before_us[i] = (struct sigaction){.sa_handler = SIG_DFL};
    }
    raise(number);
}

/* Called before Python starts, and again when it has put its faulthandler in front of us. */
static void watch_crashes(void) {
    static char stack[64 * 1024]; /* a stack that is full can't run a handler */
    static int has_stack;
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    if (!has_stack) has_stack = sigaltstack(&alternative, NULL) == 0;
    struct sigaction ours = {.sa_handler = crashed, .sa_flags = SA_ONSTACK | SA_NODEFER};
    sigemptyset(&ours.sa_mask);
    for (int i = 0; i < CRASH_COUNT; i++) {
        struct sigaction found;
        sigaction(CRASHES[i], &ours, &found);
        if (found.sa_handler != crashed) before_us[i] = found;
    }
}

/* ---- Which mode ---- */

/* Whether a file is at this path, or a file is on the way to it: then the rest is inside a zip. */
static int is_path(const char *path) {
    char part[PATH_MAX];
    struct stat status;
    if (stat(path, &status) == 0) return 1;
    if (strlen(path) >= sizeof part) return 0;
    strcpy(part, path);
    for (char *slash; (slash = strrchr(part, '/')) && slash != part;) {
        *slash = 0;
        if (stat(part, &status) == 0) return S_ISREG(status.st_mode);
    }
    return 0;
}

static int is_script(const char *argument) {
    size_t length = strlen(argument);
    if (length > 3 && strcmp(argument + length - 3, ".py") == 0) return 1;
    return strchr(argument, '/') != NULL && is_path(argument);
}

/* So no command of ours ends in .py or holds a slash, and none of our options is made of these letters only. */
static int is_python(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (argument[0] != '-') return is_script(argument);
        if (argument[1] == 0) return 1; /* the program comes from standard input */
        for (const char *flag = argument + 1; *flag; flag++) {
            if (*flag == 'c' || *flag == 'm') return 1;
            if (*flag == 'X' || *flag == 'W') { /* with a value, in this word or the next */
                if (!flag[1]) i++;
                break;
            }
            if (!strchr("IsSEBuObdqPRi", *flag)) return 0;
        }
    }
    return 0;
}

/* ---- Python ---- */

/* An initialization that failed, most likely for want of a readable payload. */
static void require(PyStatus status) {
    if (!PyStatus_Exception(status)) return;
    if (!PyStatus_IsExit(status)) require_intact();
    release_stderr();
    Py_ExitStatusException(status);
}

static void set(PyConfig *config, wchar_t **field, const char *text) {
    require(PyConfig_SetBytesString(config, field, text));
}

static void add_search_path(PyConfig *config, const char *folder) {
    char path[PATH_MAX + 64];
    wchar_t *decoded = NULL;
    snprintf(path, sizeof path, "%s%s", self.root, folder);
    set(config, &decoded, path);
    require(PyWideStringList_Append(&config->module_search_paths, decoded));
    PyMem_RawFree(decoded);
}

static void set_paths(PyConfig *config) {
    char library[PATH_MAX + 64];
    snprintf(library, sizeof library, "%s" LIBRARY, self.root);
    set(config, &config->executable, self.name);
    set(config, &config->base_executable, self.name);
    /* The file itself, where nothing can be made: pip as root would create a folder that does not exist. */
    set(config, &config->prefix, self.root);
    set(config, &config->exec_prefix, self.root);
    set(config, &config->base_prefix, self.root);
    set(config, &config->base_exec_prefix, self.root);
    set(config, &config->stdlib_dir, library);
    config->module_search_paths_set = 1;
    add_search_path(config, LIBRARY);
    add_search_path(config, PACKAGES);
}

/* PYTHONPATH is not looked at when search paths are given; build isolation of pip needs it. */
static void put_python_path_first(PyConfig *config) {
    if (!config->use_environment || !config->pythonpath_env) return;
    Py_ssize_t place = 0;
    wchar_t *rest = NULL, *paths = wcsdup(config->pythonpath_env);
    for (wchar_t *path = wcstok(paths, L":", &rest); path; path = wcstok(NULL, L":", &rest))
        require(PyWideStringList_Insert(&config->module_search_paths, place++, path));
    free(paths);
}

static void initialize(int argc, char **argv, int python) {
    PyPreConfig early;
    PyConfig config;
    if (python) {
        PyPreConfig_InitPythonConfig(&early);
        PyConfig_InitPythonConfig(&config);
    } else {
        PyPreConfig_InitIsolatedConfig(&early);
        PyConfig_InitIsolatedConfig(&config);
    }
    early.utf8_mode = 1;
    early.coerce_c_locale = 0;
    require(python ? Py_PreInitializeFromBytesArgs(&early, argc, argv) : Py_PreInitialize(&early));

    config.parse_argv = python;
    config.site_import = python;
    config.user_site_directory = 0;
    config.write_bytecode = 0;
    config.pathconfig_warnings = 0;
    config.install_signal_handlers = 1;
    if (!python) config.faulthandler = 1;
    require(PyConfig_SetBytesArgv(&config, argc, argv));
    set_paths(&config);
    require(PyConfig_Read(&config));
    put_python_path_first(&config);
    if (PyImport_AppendInittab("_bak", init_module) < 0) Py_FatalError("no memory");
    if (!python) hold_stderr(); /* a script that site runs may talk to a person, and start others that do */
    require(Py_InitializeFromConfig(&config));
    if (!python) release_stderr();
    PyConfig_Clear(&config);
}

/* An exception that nobody caught: first ask whether it is a fault of the file, then show it. */
static int uncaught(void) {
    if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) return 128 + SIGINT;
    if (!PyErr_ExceptionMatches(PyExc_SystemExit)) require_intact();
    PyErr_Print(); /* on SystemExit it ends the process, with that exit code */
    return 1;
}

static int run_bak(void) {
    PyObject *module = PyImport_ImportModule("bakend.__main__");
    PyObject *result = module ? PyObject_CallMethod(module, "main", NULL) : NULL;
    int code = result ? 0 : uncaught();
    Py_XDECREF(result);
    Py_XDECREF(module);
    return Py_FinalizeEx() < 0 && code == 0 ? 120 : code; /* 120: output was lost, as Python has it */
}

int main(int argc, char **argv) {
    find_file();
    map_file();
    find_payload();
    int python = is_python(argc, argv);
    if (!python) watch_crashes();
    if (!python && wants_check(argc, argv)) start_check();
    initialize(argc, argv, python);
    if (!python) watch_crashes();

    PyObject *startup = PyImport_ImportModule("_bak_start");
    if (!startup) return uncaught();
    Py_DECREF(startup);
    if (!python) return run_bak();
    int code = Py_RunMain();
    if (code == 1) require_intact(); /* a traceback is on the screen: say so if it was the file's fault */
    return code;
}
