/*-------------------------------------------------------------------------
 *
 * launch.c
 *		Start and end of the Python process of this backend.
 *
 * Which interpreter runs is said by option python of the foreign-data wrapper,
 * which only a superuser can set: it is the server's own user that runs it.
 * The process is a child in a session of its own, so that the signals that
 * PostgreSQL sends to a backend and its group do not reach it.  It ends with
 * the backend, however that ends: its socket is closed then, and on Linux it
 * is killed as well.
 *
 *-------------------------------------------------------------------------
 */
#include "cloudtrail_fdw.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include "access/xact.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#define WORKER_MODULE	"cloudtrail_fdw.host.worker"
#define SOCKET			3		/* the worker's end */
#define SLOTS			"cloudtrail_fdw_workers"	/* in the data folder: a locked file for each */
#define MOST_WORKERS	64		/* of the server, where option max_workers does not say */
#define IDLE_SECONDS	300		/* after which one is let go, where option idle_seconds does not say */
#define OOM_SCORE		"500"	/* rather it than a backend */
#define LAST_WORDS		200		/* ms that it has to end by itself */

extern char **environ;

int			ct_launch_socket = -1;

static pid_t process = 0;
static int	slot = -1;			/* the file that is locked for it */
static char *interpreter = NULL;	/* malloc'd */
static volatile sig_atomic_t let_go = false;
static TimestampTz kept_at = 0;
static int	idle = IDLE_SECONDS;
static TimeoutId idle_timeout = 0;


/* An option of the foreign-data wrapper, NULL when it is not there. */
static char *
wrapper_option(Oid wrapper, const char *name)
{
	ListCell   *cell;

	foreach(cell, GetForeignDataWrapper(wrapper)->options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0)
			return defGetString(option);
	}
	return NULL;
}

/* Wait for the process to end, this many ms; safe in a signal handler. */
static bool
wait_for_end(int *status, int patience)
{
	pid_t		ended;

	while ((ended = waitpid(process, status, WNOHANG)) == 0 ||
		   (ended < 0 && errno == EINTR))
	{
		if (patience-- <= 0)
			return false;
		(void) poll(NULL, 0, 1);
	}
	if (ended < 0)
		*status = 0;
	return true;
}

/*
 * End the process, if there is one, at once or once it had the time to; what
 * became of it.
 */
char *
ct_launch_end(bool at_once)
{
	int			status = 0;

	ct_worker_busy = true;		/* so that end_idle leaves the process alone */
	if (ct_launch_socket >= 0)
		close(ct_launch_socket);
	ct_launch_socket = -1;
	if (process != 0 && !let_go && (at_once || !wait_for_end(&status, LAST_WORDS)))
	{
		kill(process, SIGKILL);
		while (waitpid(process, &status, 0) < 0 && errno == EINTR)
			;
	}
	process = 0;
	let_go = false;
	if (slot >= 0)
		close(slot);
	slot = -1;
	if (WIFSIGNALED(status))
		return psprintf("It was terminated by signal %d.", WTERMSIG(status));
	return psprintf("It ended with status %d.", WEXITSTATUS(status));
}

/*
 * A backend that ends: the worker sees its socket closed; one that is at work
 * would take its time.  It is waited for in any case: a postmaster that is
 * process 1, as in containers, would inherit it, take its end by a signal for
 * that of a backend, and restart the server.
 */
static void
end_with_backend(int code UNUSED, Datum arg UNUSED)
{
	int			status;
	int			patience = ct_worker_busy ? 0 : LAST_WORDS;

	if (ct_launch_socket >= 0)
		close(ct_launch_socket);
	ct_launch_socket = -1;
	if (process != 0 && !let_go && !wait_for_end(&status, patience))
	{
		kill(process, SIGKILL);
		(void) waitpid(process, &status, 0);
	}
	process = 0;
}

/*
 * A timeout's handler: let a worker go that has nothing to do.  A session that
 * is idle runs nothing but this, so the worker is taken leave of here, and
 * forgotten by ct_launch_stale.
 */
static void
end_idle(void)
{
	int			status;
	int			error = errno;

	if (process != 0 && !let_go && !ct_worker_busy)
	{
		kill(process, SIGKILL);
		let_go = wait_for_end(&status, LAST_WORDS);
		if (let_go && slot >= 0)
		{
			close(slot);
			slot = -1;
		}
	}
	errno = error;
}

/* After an error PostgreSQL has switched off all timeouts. */
static void
keep_after_error(XactEvent event, void *arg UNUSED)
{
	if (event == XACT_EVENT_ABORT && process != 0 && !let_go)
		ct_launch_keep();
}

/* The worker is in use: it is let go some time after the last such call. */
void
ct_launch_keep(void)
{
	TimestampTz now = GetCurrentTimestamp();

	if (idle_timeout == 0)
	{
		idle_timeout = RegisterTimeout(USER_TIMEOUT, end_idle);
		RegisterXactCallback(keep_after_error, NULL);
	}
	/* not at every call, which would cost one of the system's */
	if (get_timeout_active(idle_timeout) &&
		!TimestampDifferenceExceeds(kept_at, now, idle * 1000 / 10))
		return;
	kept_at = now;
	enable_timeout_after(idle_timeout, idle * 1000);
}

/* Whether the worker was let go, or is not the one that the wrapper's options name now. */
bool
ct_launch_stale(Oid wrapper)
{
	char	   *python = wrapper_option(wrapper, "python");

	return let_go || python == NULL || strcmp(python, interpreter) != 0;
}

/* An option of the foreign-data wrapper that is a number above 0. */
static int
wrapper_number(Oid wrapper, const char *name, int usual)
{
	char	   *option = wrapper_option(wrapper, name);
	int			number = option ? pg_strtoint32(option) : usual;

	if (number < 1 || number > 1000000)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("option %s of the foreign data wrapper is out of range", name),
				 errhint("Give a whole number above 0.")));
	return number;
}

/* Lock one of the files that stand for the workers of this server. */
static void
take_slot(Oid wrapper)
{
	int			most = wrapper_number(wrapper, "max_workers", MOST_WORKERS);

	if (mkdir(SLOTS, S_IRWXU) < 0 && errno != EEXIST)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create directory %s: %m", SLOTS)));
	for (int number = 0; number < most; number++)
	{
		char		path[MAXPGPATH];

		/* the first try is likely to find a free one */
		snprintf(path, sizeof(path), SLOTS "/%d", (int) ((MyProcPid + (int64) number) % most));
		slot = open(path, O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
		if (slot < 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not open file %s: %m", path)));
		if (flock(slot, LOCK_EX | LOCK_NB) == 0)
			return;
		close(slot);
		slot = -1;
	}
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("all %d Python workers that the server may have for cloudtrail_fdw are in use", most),
			 errhint("Close sessions that have used it, or raise option max_workers of the foreign data wrapper.")));
}

/* In the child: close everything from this descriptor on. */
static void
close_from(int first)
{
	struct rlimit limit;

#if defined(__linux__) && defined(SYS_close_range)
	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
#endif
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > 65536)
		limit.rlim_cur = 65536;
	for (int number = first; number < (int) limit.rlim_cur; number++)
		close(number);
}

/* In the child, where only what is safe in a signal handler may be called. */
static void
become_worker(int socket, int nowhere, pid_t parent, char **arguments, char **environment)
{
	struct rlimit no_core = {1, 1}; /* 0 does not stop one that is piped to a program */
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t	none;
	int			file;

	setsid();
#ifdef __linux__
	prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
	if (getppid() != parent)
		_exit(1);
	for (int number = 1; number < NSIG; number++)
		(void) sigaction(number, &action, NULL);
	action.sa_handler = SIG_IGN;
	(void) sigaction(SIGINT, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(nowhere, 0) < 0 || dup2(nowhere, 1) < 0 || dup2(socket, SOCKET) < 0)
		_exit(1);
	close_from(SOCKET + 1);
	(void) setrlimit(RLIMIT_CORE, &no_core);
	file = open("/proc/self/oom_score_adj", O_WRONLY);
	if (file >= 0)
	{
		if (write(file, OOM_SCORE, strlen(OOM_SCORE)) < 0)
			(void) 0;			/* then it stays as it is */
		close(file);
	}
	execve(arguments[0], arguments, environment);
	_exit(127);
}

/*
 * The environment without what is meant for another Python or loader; region,
 * proxy and credentials of the server's own are what the worker is to find.
 */
static char **
worker_environment(void)
{
	int			count = 0;
	char	  **kept;

	while (environ[count])
		count++;
	kept = palloc((count + 1) * sizeof(char *));
	count = 0;
	for (char **one = environ; *one; one++)
	{
		if (strncmp(*one, "PYTHON", 6) != 0 && strncmp(*one, "LD_", 3) != 0)
			kept[count++] = *one;
	}
	kept[count] = NULL;
	return kept;
}

/* A descriptor above those that the child sets. */
static int
raise_descriptor(int descriptor)
{
	int			raised = fcntl(descriptor, F_DUPFD_CLOEXEC, SOCKET + 1);

	close(descriptor);
	return raised;
}

/* Start the process. */
void
ct_launch(Oid wrapper)
{
	static bool registered = false;
	char	   *python = wrapper_option(wrapper, "python");
	char	   *arguments[] = {python, "-I", "-m", WORKER_MODULE, NULL};
	char	  **environment = worker_environment();
	int			ends[2];
	int			nowhere;
	pid_t		parent = getpid();
	sigset_t	all,
				before;

	if (python == NULL || *python != '/' || access(python, X_OK) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("there is no Python for cloudtrail_fdw"),
				 python ? errdetail("Option python of the foreign data wrapper is \"%s\".", python) : 0,
				 errhint("Run cloudtrail-fdw install again.")));
	if (!registered)
		before_shmem_exit(end_with_backend, (Datum) 0);
	registered = true;
	idle = wrapper_number(wrapper, "idle_seconds", IDLE_SECONDS);
	take_slot(wrapper);
	free(interpreter);
	interpreter = strdup(python);
	if (interpreter == NULL || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		ereport(ERROR,
				(errcode_for_socket_access(),
				 errmsg("could not create a socket: %m")));
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	ct_launch_socket = ends[0];
	ends[1] = raise_descriptor(ends[1]);
	nowhere = raise_descriptor(open("/dev/null", O_RDWR | O_CLOEXEC));
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	process = fork();
	if (process == 0)
		become_worker(ends[1], nowhere, parent, arguments, environment);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(ends[1]);
	close(nowhere);
	if (process < 0)
	{
		process = 0;
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("could not start the Python worker of cloudtrail_fdw: %m")));
	}
}
