/*-------------------------------------------------------------------------
 *
 * scan.c
 *		Scanning.
 *
 *-------------------------------------------------------------------------
 */
#include "cloudtrail_fdw.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"


/*
 * The query ends without EndForeignScan, which happens after errors: let the
 * host go of what the scan holds.  The scan's memory is freed after this.
 */
static void
release_scan(void *arg)
{
	TableScan  *scan = arg;

	ct_drop_packed(scan);
	if (!scan->open)
		return;
	scan->open = false;
	scan->host->release(scan);
}

/* Begin a scan; EXPLAIN alone begins nothing, see ctExplainForeignScan. */
void
ct_begin(ForeignScanState *node, int eflags, const Host *host)
{
	TableScan  *scan = palloc0(sizeof(TableScan));
	PlannedStmt *query = node->ss.ps.state->es_plannedstmt;

	scan->host = host;
	scan->node = node;
	node->fdw_state = scan;
	scan->untold = ct_find_untold(query, (ForeignScan *) node->ss.ps.plan,
								  RelationGetRelid(node->ss.ss_currentRelation));
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	scan->reading = ct_judge_reading(query, node->ss.ps.plan);
	scan->fresh = true;
	host->begin(scan, eflags, ct_scan_bounds(scan));
	scan->open = true;
	scan->release.func = release_scan;
	scan->release.arg = scan;
	MemoryContextRegisterResetCallback(node->ss.ps.state->es_query_cxt, &scan->release);
}

/*
 * Begin a (re)scan: the row when it is known and the only one, else NULL, and
 * then scan->empty says whether there is none.
 */
static TupleTableSlot *
start_scan(TableScan *scan)
{
	TupleTableSlot *row;

	scan->fresh = false;
	if (scan->untold)
		ct_refuse_untold(scan->node, scan->untold);
	ct_evaluate_operands(scan);
	if (scan->empty || !ct_known_row(scan, &row))
		return NULL;
	scan->empty = true;			/* after this one */
	return row;
}

TupleTableSlot *
ctIterateForeignScan(ForeignScanState *node)
{
	TableScan  *scan = node->fdw_state;
	TupleTableSlot *slot = NULL;

	CHECK_FOR_INTERRUPTS();
	if (scan->fresh && (slot = start_scan(scan)) != NULL)
		return slot;
	if (scan->empty)
		return ExecClearTuple(node->ss.ss_ScanTupleSlot);
	return scan->rows > 0 ? ct_packed_row(scan) : scan->host->row(scan);
}

void
ctReScanForeignScan(ForeignScanState *node)
{
	TableScan  *scan = node->fdw_state;

	scan->fresh = scan->again = true;
	ct_drop_packed(scan);
}

void
ctEndForeignScan(ForeignScanState *node)
{
	TableScan  *scan = node->fdw_state;

	ct_drop_packed(scan);
	if (!scan->open)
		return;
	scan->open = false;
	scan->host->end(scan);
}
