/*-------------------------------------------------------------------------
 *
 * worker.c
 *		The Python process of this backend: frames to it and from it.
 *
 * One request is on its way at a time.  What the two sides have half sent or
 * half read is kept here, so that an error thrown meanwhile (a cancel, say)
 * leaves whole frames behind: its late answer is known by its number and is
 * dropped.  A worker that does not answer what was closed is killed, and the
 * next request gets another.  launch.c starts and ends the process.
 *
 *-------------------------------------------------------------------------
 */
#include "cloudtrail_fdw.h"

#include <sys/socket.h>
#include <poll.h>

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#if PG_VERSION_NUM >= 140000
#include "utils/wait_event.h"
#endif

#define PATIENCE		2000	/* ms that a worker has for what was closed, ... */
#define GRACE			100		/* ... and for each part of an answer that it could not send before */
#define START_PATIENCE	60000	/* ms until its hello */
#define LOOK_AGAIN		20		/* ms, where the system does not tell that the client is gone */
#define INPUT_ROOM		65536
#define KEPT_ROOM		(1024 * 1024)	/* of what is sent, when it is sent */

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL	0		/* PostgreSQL ignores SIGPIPE */
#endif

/* Where the events of the set are. */
#define WORKER_EVENT	0
#define CLIENT_EVENT	2

static struct
{
	WaitEventSet *events;		/* NULL without a worker */
	bool		tells_client;	/* whether it has an event for a client that is gone */
	Writer		out;
	size_t		sent;			/* of out */
	char	   *input;			/* read and not yet taken */
	size_t		input_at;
	size_t		input_end;
	FrameHead	head;			/* of the frame that is being read */
	char	   *body;			/* its bytes, malloc'd; NULL between frames */
	size_t		have;			/* of them */
	uint64		received;		/* bytes so far */
	bool		whole;			/* all are there, and known to the caller */
	bool		started;		/* its hello was read */
	uint32		last_number;
	uint32		awaited;		/* whose answer is not here yet, or 0 */
	TimestampTz closed_at;		/* when it was closed, or 0 */
	int			scans;			/* that are open */
} worker;

uint32		ct_worker_generation = 1;	/* 0 is that of none */
bool		ct_worker_busy = false;

/* Names of session settings that it wants. */
List	   *ct_worker_settings = NIL;


/*
 * The client's socket.  It comes first in every version's Port, whose header
 * needs headers of other libraries, which servers seldom have.
 */
static pgsocket
client_socket(void)
{
	return *(pgsocket *) MyProcPort;
}

/* Forget everything of a worker that has ended or is about to. */
static void
forget_worker(void)
{
	if (worker.events)
		FreeWaitEventSet(worker.events);
	free(worker.out.data);
	free(worker.input);
	free(worker.body);
	memset(&worker, 0, sizeof(worker));
	ct_worker_busy = false;
	ct_worker_generation++;
}

/* Throw what became of the worker. */
static void
worker_ended(void)
{
	char	   *how;

	how = ct_launch_end(false);
	forget_worker();
	ereport(ERROR,
			(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
			 errmsg("the Python worker of cloudtrail_fdw has ended"),
			 errdetail("%s", how),
			 errhint("Run the query again; if that does not help, the server's log may say why.")));
}

/* The worker cannot be believed any more. */
void
ct_worker_rubbish(void)
{
	(void) ct_launch_end(true);
	forget_worker();
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("the Python worker of cloudtrail_fdw sent what cannot be read"),
			 errhint("Run the query again; if that does not help, run cloudtrail-fdw install again and connect anew, or report it.")));
}

static void
no_memory(void)
{
	(void) ct_launch_end(true);
	forget_worker();
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory")));
}

/* Make a writer empty, and let go of much room. */
static void
empty(Writer *writer)
{
	if (writer->failed || writer->room > KEPT_ROOM)
	{
		free(writer->data);
		memset(writer, 0, sizeof(*writer));
	}
	writer->length = 0;
}

/* Send what the socket takes; false when the other side is gone. */
static bool
send_some(void)
{
	while (worker.sent < worker.out.length)
	{
		ssize_t		done = send(ct_launch_socket, worker.out.data + worker.sent,
								worker.out.length - worker.sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (done < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
		worker.sent += done;
	}
	worker.sent = 0;
	empty(&worker.out);
	return true;
}

/* Move what was read to the frame that it belongs to; true when that is whole. */
static bool
frame_is_whole(void)
{
	size_t		here = worker.input_end - worker.input_at,
				more;

	if (worker.body == NULL)
	{
		if (here < FRAME_HEAD)
			return false;
		if (!ct_read_head(worker.input + worker.input_at, &worker.head))
			ct_worker_rubbish();
		worker.body = malloc(worker.head.length);
		if (worker.body == NULL)
			no_memory();
		worker.have = 0;
		worker.input_at += FRAME_HEAD;
		here -= FRAME_HEAD;
	}
	more = Min(here, worker.head.length - worker.have);
	memcpy(worker.body + worker.have, worker.input + worker.input_at, more);
	worker.have += more;
	worker.input_at += more;
	worker.whole = worker.have == worker.head.length;
	return worker.whole;
}

/* Read what there is, up to the end of a frame: true when it is whole. */
static bool
read_some(bool *gone)
{
	if (worker.whole)			/* it was dealt with */
	{
		free(worker.body);
		worker.body = NULL;
		worker.whole = false;
	}
	while (!frame_is_whole())
	{
		size_t		wanted = worker.body ? worker.head.length - worker.have : 0;
		size_t		here = worker.input_end - worker.input_at;
		ssize_t		done;

		if (wanted >= INPUT_ROOM)	/* all that was read is in the frame by now */
			done = recv(ct_launch_socket, worker.body + worker.have, wanted, MSG_DONTWAIT);
		else
		{
			memmove(worker.input, worker.input + worker.input_at, here);
			worker.input_at = 0;
			worker.input_end = here;
			done = recv(ct_launch_socket, worker.input + here, INPUT_ROOM - here, MSG_DONTWAIT);
		}
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
		{
			*gone |= done == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
			return false;
		}
		worker.received += done;
		if (wanted >= INPUT_ROOM)
			worker.have += done;
		else
			worker.input_end += done;
	}
	return true;
}

/* Let CHECK_FOR_INTERRUPTS end the session of a client that is gone. */
static void
client_gone(void)
{
	ClientConnectionLost = true;
	InterruptPending = true;
}

/* Whether the client is gone, asked where no event tells it. */
static bool
client_is_gone(void)
{
#ifdef POLLRDHUP
	struct pollfd look = {.events = POLLRDHUP};

	if (MyProcPort == NULL || worker.tells_client)
		return false;
	look.fd = client_socket();
	return poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
#else
	char		byte;

	return MyProcPort && !worker.tells_client &&
		recv(client_socket(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
#endif
}

static uint32
wait_event(void)
{
#if PG_VERSION_NUM >= 170000
	static uint32 name = 0;

	if (name == 0)
		name = WaitEventExtensionNew("CloudtrailFdwWorker");
	return name;
#else
	return PG_WAIT_EXTENSION;
#endif
}

/* Wait until there is something to do; "patience" in ms, -1 for any time. */
static void
wait_some(long patience)
{
	WaitEvent	happened;

	ModifyWaitEvent(worker.events, WORKER_EVENT,
					WL_SOCKET_READABLE | (worker.sent < worker.out.length ? WL_SOCKET_WRITEABLE : 0),
					NULL);
	if (!worker.tells_client && MyProcPort && (patience < 0 || patience > LOOK_AGAIN))
		patience = LOOK_AGAIN;
	if (WaitEventSetWait(worker.events, patience, &happened, 1, wait_event()) == 0)
	{
		if (client_is_gone())
			client_gone();
		return;
	}
	if (happened.events & WL_LATCH_SET)
		ResetLatch(MyLatch);
	if (happened.pos == CLIENT_EVENT && MyProcPort)
		client_gone();
}

/*
 * Send, and wait for a whole frame, which is then in head and body; false
 * after "patience" ms.  Cancels and the like are thrown from here.
 */
static bool
next_frame(long patience)
{
	TimestampTz end = patience < 0 ? 0 :
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), patience);

	for (;;)
	{
		bool		gone;
		long		left = -1;

		CHECK_FOR_INTERRUPTS();
		/* what it said last is worth more than that it is gone */
		gone = !send_some();
		if (read_some(&gone))
		{
			if (!ct_check_answer(worker.head.type, worker.body, worker.head.length))
				ct_worker_rubbish();
			return true;
		}
		if (gone)
			worker_ended();
		if (end)
		{
			left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);
			if (left <= 0)
				return false;
		}
		wait_some(left);
	}
}


/* ------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------
 */

/* A text of an error in the server's encoding; a character that it has not becomes "?". */
static char *
error_text(const char *text, uint32 length)
{
#if PG_VERSION_NUM >= 140000
	Oid			conversion = GetDatabaseEncoding() == PG_UTF8 ? InvalidOid :
		FindDefaultConversionProc(PG_UTF8, GetDatabaseEncoding());
	int			room = length * MAX_CONVERSION_GROWTH + 1;
	char	   *result = palloc0(room);
	char	   *end = result;

	while (OidIsValid(conversion) && length > 0)
	{
		int			done = pg_do_encoding_conversion_buf(conversion, PG_UTF8, GetDatabaseEncoding(),
														 (unsigned char *) text, length,
														 (unsigned char *) end,
														 room - (end - result), true);

		end += strlen(end);
		if (done < (int) length)
		{
			*end++ = '?';
			*end = '\0';
			done += pg_utf_mblen((const unsigned char *) text + done);
		}
		text += done;
		length -= done;
	}
	if (OidIsValid(conversion))
		return result;
#endif
	return pg_any_to_server(pnstrdup(text, length), length, PG_UTF8);
}

/*
 * Throw what an E frame tells; "table" is the name of the table that it is
 * about, or NULL.  A worker that lacks memory holds what the next one needs.
 */
static void
throw_error(const char *table)
{
	Reader		reader = {(unsigned char *) worker.body,
		(unsigned char *) worker.body + worker.head.length};
	char	   *texts[4];
	uint32		length;
	const char *text;
	int			state = ERRCODE_INTERNAL_ERROR;

	(void) ct_read_array(&reader, &length);
	for (int number = 0; number < 4; number++)
	{
		(void) ct_read_text(&reader, &text, &length);
		texts[number] = text ? error_text(text, length) : NULL;
	}
	if (strlen(texts[0]) == 5 && strspn(texts[0], "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5)
		state = MAKE_SQLSTATE(texts[0][0], texts[0][1], texts[0][2], texts[0][3], texts[0][4]);
	if (state == ERRCODE_OUT_OF_MEMORY)
	{
		(void) ct_launch_end(true);
		forget_worker();
	}
	ereport(ERROR,
			(errcode(state),
			 errmsg_internal("%s", ct_named_message(texts[1], table)),
			 texts[2] ? errdetail_internal("%s", texts[2]) : 0,
			 texts[3] ? errhint("%s", texts[3]) : 0));
}

/* Put a whole frame, or several, behind what is to be sent. */
static void
append(Writer *draft)
{
	ct_put_bytes(&worker.out, draft->data, draft->length);
	if (draft->failed || worker.out.failed)
		no_memory();
}

/* What a frame is written to before it is whole; it is empty. */
Writer *
ct_worker_draft(void)
{
	static Writer draft = {0};

	empty(&draft);
	return &draft;
}

/* The number for a scan, or with FRAME_REQUEST for another request. */
uint32
ct_worker_number(uint32 kind)
{
	worker.last_number = worker.last_number % (FRAME_REQUEST - 1) + 1;
	return worker.last_number | kind;
}

/* Tell the worker that a scan or a request is over; nothing is waited for. */
void
ct_worker_close(uint32 generation, uint32 number)
{
	Writer		frame = {0};
	size_t		begin;

	if (worker.events == NULL || generation != ct_worker_generation)
		return;
	if (number == worker.awaited)
		worker.closed_at = GetCurrentTimestamp();
	begin = ct_begin_frame(&frame, 'C', number);
	ct_put_nil(&frame);
	ct_end_frame(&frame, begin);
	ct_put_bytes(&worker.out, frame.data, frame.length);
	if (frame.failed || worker.out.failed)
	{
		(void) ct_launch_end(true);
		forget_worker();
	}
	else
		(void) send_some();		/* whether it is gone shows at the next request */
	free(frame.data);
}

/* Note that a scan of the worker's begins or ends: while there is one, it is kept. */
void
ct_worker_scans(uint32 generation, int more)
{
	if (generation == ct_worker_generation)
		worker.scans += more;
	ct_worker_busy = worker.scans > 0;
}

/* Wait for the answer to a request that was closed; false when the worker does not give it. */
static bool
late_answer(void)
{
	TimestampTz begun = GetCurrentTimestamp();

	while (worker.awaited)
	{
		uint64		received = worker.received;
		long		left;

		if (worker.closed_at == 0)
			ct_worker_close(ct_worker_generation, worker.awaited);
		if (worker.events == NULL)
			return false;
		left = PATIENCE - TimestampDifferenceMilliseconds(worker.closed_at, GetCurrentTimestamp());
		if (next_frame(Max(left, GRACE)) && worker.head.number == worker.awaited)
			worker.awaited = 0;
		else if (worker.received == received ||
				 TimestampDifferenceExceeds(begun, GetCurrentTimestamp(), PATIENCE))
			return false;
	}
	return true;
}

/* The hello of a worker that was just started. */
static void
read_hello(void)
{
	Reader		reader;
	Packed		protocol;
	uint32		count;
	MemoryContext before;

	if (!next_frame(START_PATIENCE))
	{
		(void) ct_launch_end(true);
		forget_worker();
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("the Python worker of cloudtrail_fdw does not start"),
				 errhint("Look at option python of the foreign data wrapper, and into the server's log.")));
	}
	if (worker.head.type == 'E')
		throw_error(NULL);
	if (worker.head.type != 'H')
		ct_worker_rubbish();
	reader.next = (unsigned char *) worker.body;
	reader.end = reader.next + worker.head.length;
	(void) ct_read_array(&reader, &count);
	(void) ct_read_value(&reader, &protocol);
	if (protocol.integer != PROTOCOL)
	{
		(void) ct_launch_end(true);
		forget_worker();
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("the Python worker of cloudtrail_fdw is of another version than the server's library"),
				 errhint("Run cloudtrail-fdw install again and connect anew.")));
	}
	before = MemoryContextSwitchTo(TopMemoryContext);
	list_free_deep(ct_worker_settings);
	ct_worker_settings = NIL;
	(void) ct_read_array(&reader, &count);
	while (count-- > 0)
	{
		const char *name;
		uint32		length;

		(void) ct_read_text(&reader, &name, &length);
		ct_worker_settings = lappend(ct_worker_settings, pnstrdup(name, length));
	}
	MemoryContextSwitchTo(before);
	worker.started = true;
}

/* Start a worker of this foreign-data wrapper. */
static void
start_worker(Oid wrapper)
{
	ct_launch(wrapper);
#if PG_VERSION_NUM >= 170000
	worker.events = CreateWaitEventSet(NULL, 4);
#else
	worker.events = CreateWaitEventSet(TopMemoryContext, 4);
#endif
	worker.input = malloc(INPUT_ROOM);
	if (worker.input == NULL)
		no_memory();
	AddWaitEventToSet(worker.events, WL_SOCKET_READABLE, ct_launch_socket, NULL, NULL);
	AddWaitEventToSet(worker.events, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
#if PG_VERSION_NUM >= 150000
	if (MyProcPort && WaitEventSetCanReportClosed())
	{
		AddWaitEventToSet(worker.events, WL_SOCKET_CLOSED, client_socket(), NULL, NULL);
		worker.tells_client = true;
	}
#endif
	if (IsUnderPostmaster)
		AddWaitEventToSet(worker.events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	read_hello();
}

/*
 * See to it that there is a worker, and that it is at rest: one that has ended
 * meanwhile, was let go, or does not come to rest, is replaced without a word.
 */
void
ct_worker_ready(Oid wrapper)
{
	bool		gone = false;

	ct_worker_busy = true;
	PG_TRY();
	{
		if (worker.events &&
			(ct_launch_stale(wrapper) ||
			 (worker.awaited == 0 && (read_some(&gone) || gone)) ||
			 !late_answer()))
		{
			(void) ct_launch_end(true);
			forget_worker();
		}
		if (worker.events == NULL)
			start_worker(wrapper);
	}
	PG_CATCH();
	{
		if (!worker.started)
		{
			(void) ct_launch_end(true);
			forget_worker();
		}
		ct_worker_busy = worker.scans > 0;
		PG_RE_THROW();
	}
	PG_END_TRY();
	ct_launch_keep();
}

/*
 * Send the draft, of frames of this number, and wait for the answer, whose
 * type is the result; "table" names the table that an error is about.
 */
char
ct_worker_ask(Writer *draft, uint32 number, const char *table)
{
	uint32		generation = ct_worker_generation;

	append(draft);
	worker.awaited = number;
	worker.closed_at = 0;
	ct_worker_busy = true;
	PG_TRY();
	{
		do
			(void) next_frame(-1);
		while (worker.head.number != number);
		worker.awaited = 0;
	}
	PG_CATCH();
	{
		ct_worker_close(generation, number);
		ct_worker_busy = worker.scans > 0;
		PG_RE_THROW();
	}
	PG_END_TRY();
	ct_worker_busy = worker.scans > 0;
	if (worker.head.type == 'E')
		throw_error(table);
	return worker.head.type;
}

/* The answer; it is there until the next request. */
Reader
ct_worker_answer(void)
{
	return (Reader) {(unsigned char *) worker.body, (unsigned char *) worker.body + worker.head.length};
}

/* The answer's bytes, for the caller to free. */
char *
ct_worker_take(size_t *length)
{
	char	   *body = worker.body;

	*length = worker.head.length;
	worker.body = NULL;
	worker.whole = false;
	return body;
}
