/*-------------------------------------------------------------------------
 *
 * cloudtrail_fdw.c
 *		A foreign-data wrapper handler around Multicorn's.
 *
 * Multicorn calls our Python.  This library stands between PostgreSQL and
 * Multicorn, which it leaves as it is: it asks Multicorn for its callbacks
 * and calls them from its own, with arguments that Multicorn is known to
 * read correctly.
 *
 * What Multicorn would otherwise get wrong, and where it is put right:
 *
 * - It knows an operator by its name only and reads an operand by a type
 *	 that may not be the operand's.  judge.c lets a clause pass only when the
 *	 operator is built in, its collation is deterministic, and the operand has
 *	 the column's type or one that is converted here without loss.  What does
 *	 not pass is hidden from Multicorn; PostgreSQL checks every clause again.
 * - It evaluates operands as expressions of unknown type, and in EXPLAIN
 *	 takes zero for their values.  Here operands are evaluated by us, at each
 *	 (re)scan, and Multicorn gets them as external parameters of a parameter
 *	 list of ours, or as constants; in EXPLAIN, as constants only.
 * - It prints timestamps with the session's DateStyle and TimeZone.  Here
 *	 they are handed over as text: ISO, UTC.
 * - Its parameterized paths can lose join clauses (before PostgreSQL 16),
 *	 and it overlooks LATERAL references.  Paths are made here again.
 * - Its names of wanted columns overlook whole-row references.
 * - Its errors have no SQLSTATE; a pending cancel is not seen.
 * - It asks Python for every row and every value of it.  Here Python may hand
 *	 over many rows at once, packed, and the row of a key that a join asks for
 *	 again is remembered.
 *
 * What Python and this library tell each other:
 *
 * - cloudtrail_fdw_active, which Python reads through ctypes, says that it is
 *	 called through this library, and hence that the set of wanted columns is
 *	 complete and that times are ISO and UTC.  Its value changes with every
 *	 scan that begins, so that Python need not read settings at each rescan.
 * - cloudtrail_fdw_all_rows, of the same kind, says that the query will read
 *	 the scan that calls Python to its end: no LIMIT, no cursor, no EXISTS.
 * - In EXPLAIN, names in that set that no column has tell which columns have
 *	 a bound at run time (MARK_RUNTIME).
 * - Python names the columns that choose what is read (cloudtrail_fdw_choice).
 *	 A condition on one that Multicorn does not get is an error, wherever in
 *	 the plan it stands: rows that it asks for might never have been read.
 * - The functions exported below are called by Python, through ctypes too.
 *
 * PostgreSQL 13 to 18, Multicorn 1.4 and 3.2.
 *
 *-------------------------------------------------------------------------
 */
#include "cloudtrail_fdw.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(cloudtrail_fdw_handler);
PG_FUNCTION_INFO_V1(cloudtrail_fdw_worker_handler);


/* A message of Python's, where "this table" begins it with the table's name, if there is one. */
char *
ct_named_message(char *message, const char *table)
{
	const char *words = "this table ";

	if (table && *table && strncmp(message, words, strlen(words)) == 0)
		return psprintf("%s %s", table, message + strlen(words));
	return message;
}

static void
multicornGetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid table)
{
	ct_size(root, rel, table, &ct_multicorn);
}

static void
workerGetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid table)
{
	ct_size(root, rel, table, &ct_remote);
}

static void
multicornBeginForeignScan(ForeignScanState *node, int eflags)
{
	ct_begin(node, eflags, &ct_multicorn);
}

static void
workerBeginForeignScan(ForeignScanState *node, int eflags)
{
	ct_begin(node, eflags, &ct_remote);
}

/* What both handlers offer: only reading. */
static FdwRoutine *
make_routine(void)
{
	static bool hooked = false;
	FdwRoutine *routine = makeNode(FdwRoutine);

	if (!hooked)
		ct_hook_runs();
	hooked = true;
	routine->GetForeignPaths = ctGetForeignPaths;
	routine->GetForeignPlan = ctGetForeignPlan;
	routine->IterateForeignScan = ctIterateForeignScan;
	routine->ReScanForeignScan = ctReScanForeignScan;
	routine->EndForeignScan = ctEndForeignScan;
	routine->ExplainForeignScan = ctExplainForeignScan;
	return routine;
}

/*
 * Multicorn's other callbacks are left out: those for writing, as the tables
 * cannot be written, and that for LIMIT, which gives wrong rows below views
 * with conditions.
 */
static Datum
multicorn_routine(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = make_routine();

	ct_load_multicorn(fcinfo);
	routine->GetForeignRelSize = multicornGetForeignRelSize;
	routine->BeginForeignScan = multicornBeginForeignScan;
	routine->ImportForeignSchema = ct_multicorn_import;
	PG_RETURN_POINTER(routine);
}

/* Python in a process of its own, without Multicorn. */
static Datum
worker_routine(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = make_routine();

	(void) fcinfo;
	routine->GetForeignRelSize = workerGetForeignRelSize;
	routine->BeginForeignScan = workerBeginForeignScan;
	routine->ImportForeignSchema = ct_remote_import;
	PG_RETURN_POINTER(routine);
}

/* What each version of this library offers to the others in its process; never changes. */
typedef struct Offer
{
	PGFunction	multicorn;
	PGFunction	worker;
} Offer;

static Offer offer = {multicorn_routine, worker_routine};

/*
 * An update of the extension gives the functions another library, which a
 * session loads beside the one that it has.  Plans, workers, hooks, and what
 * Python finds by its name, are then those of the first: it goes on serving.
 */
static Offer *
first_offer(void)
{
	Offer	  **first = (Offer **) find_rendezvous_variable("cloudtrail_fdw_offer");

	if (*first == NULL)
		*first = &offer;
	return *first;
}

Datum
cloudtrail_fdw_handler(PG_FUNCTION_ARGS)
{
	return first_offer()->multicorn(fcinfo);
}

Datum
cloudtrail_fdw_worker_handler(PG_FUNCTION_ARGS)
{
	return first_offer()->worker(fcinfo);
}
