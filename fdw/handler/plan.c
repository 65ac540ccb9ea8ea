/*-------------------------------------------------------------------------
 *
 * plan.c
 *		The size of a table, its wanted columns, and the finished plan.
 *
 *-------------------------------------------------------------------------
 */
#include "cloudtrail_fdw.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"


/*
 * The numbers of the columns of a table that its scan has to deliver or to
 * check; all of them where the whole row is asked for.
 */
List *
ct_wanted_columns(RelOptInfo *rel, Oid table, List *restrictinfos)
{
	Relation	relation = table_open(table, NoLock);
	TupleDesc	layout = RelationGetDescr(relation);
	Bitmapset  *found = NULL;
	List	   *columns = NIL;
	ListCell   *cell;
	bool		whole_row;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &found);
	foreach(cell, restrictinfos)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, cell)->clause, rel->relid, &found);
	whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, found);
	for (int column = 1; column <= layout->natts; column++)
	{
		if (!TupleDescAttr(layout, column - 1)->attisdropped &&
			(whole_row || bms_is_member(column - FirstLowInvalidHeapAttributeNumber, found)))
			columns = lappend_int(columns, column);
	}
	table_close(relation, NoLock);
	return columns;
}

/*
 * The clauses on one table that are proven and whose operands have a value
 * when planning.  *valued gets the columns that will have given values when
 * the scan starts, *fixed those that have them now.
 */
static List *
planning_bounds(PlannerInfo *root, RelOptInfo *rel, Bitmapset **valued, Bitmapset **fixed)
{
	List	   *bounds = NIL;
	ListCell   *cell,
			   *found;

	foreach(cell, rel->baserestrictinfo)
	{
		foreach(found, ct_proven_bounds(lfirst_node(RestrictInfo, cell)->clause, rel->relid))
		{
			Bound	   *bound = lfirst(found);

			if (ct_gives_values(bound))
				*valued = bms_add_member(*valued, bound->column->varattno);
			if (bound->operand)
			{
				Const	   *value = (Const *) estimate_expression_value(root,
																		(Node *) bound->operand);

				if (!IsA(value, Const) || value->constisnull)
					continue;
				bound->value = ct_constant(bound, value->constvalue);
			}
			if (ct_gives_values(bound))
				*fixed = bms_add_member(*fixed, bound->column->varattno);
			bounds = lappend(bounds, bound);
		}
	}
	return bounds;
}

/* Note the wanted columns that choose what is read, of those that no clause gives a value. */
static void
note_choices(TablePlan *plan, Oid table, List *wanted, Bitmapset *valued, Answer *answer)
{
	for (int number = 0; number < answer->nchoices; number++)
	{
		char	   *name = NameStr(answer->choices[number].column);
		AttrNumber	column = get_attnum(table, name);

		if (!list_member_int(wanted, column) || bms_is_member(column, valued))
			continue;
		plan->choices = lappend_int(plan->choices, column);
		plan->marks = lappend(plan->marks,
							  psprintf("%s%s", answer->choices[number].nullable ?
									   MARK_NULLABLE : MARK_CHOICE, name));
	}
}

/* Ask Python for the size, showing it the proven clauses and all wanted columns. */
void
ct_size(PlannerInfo *root, RelOptInfo *rel, Oid table, const Host *host)
{
	TablePlan  *plan = palloc0(sizeof(TablePlan));
	List	   *wanted = ct_wanted_columns(rel, table, rel->baserestrictinfo);
	Bitmapset  *valued = NULL,
			   *fixed = NULL;
	List	   *bounds = planning_bounds(root, rel, &valued, &fixed);
	Answer		answer = {.nchoices = 0};

	host->size(root, rel, table, bounds, wanted, &answer);
	plan->host = host;
	plan->state = rel->fdw_private;
	plan->key = get_attnum(table, NameStr(answer.key));
	plan->has_key = plan->key > 0 && bms_is_member(plan->key, valued);
	if (plan->has_key && !bms_is_member(plan->key, fixed))
		rel->rows = Min(rel->rows, RUNTIME_KEYS);
	note_choices(plan, table, wanted, valued, &answer);
	rel->fdw_private = plan;
}

/*
 * The plan: the host's, without clauses, which BeginForeignScan takes from
 * plan.qual, and with the names that the scan needs.
 */
ForeignScan *
ctGetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid table, ForeignPath *path, List *tlist,
				 List *clauses, Plan *outer_plan)
{
	TablePlan  *plan = rel->fdw_private;
	ForeignScan *scan = plan->host->plan(root, rel, table, path, tlist, outer_plan);
	List	   *names = NIL;
	ListCell   *cell,
			   *mark;

	scan->scan.plan.qual = extract_actual_clauses(clauses, false);
	scan->fdw_exprs = NIL;
	forboth(cell, plan->choices, mark, plan->marks)
	{
		if (!ct_values_given(clauses, rel->relid, lfirst_int(cell)))
			names = lappend(names, makeString(lfirst(mark)));
	}

	foreach(cell, ct_wanted_columns(rel, table, clauses))
		names = lappend(names, makeString(get_attname(table, lfirst_int(cell), false)));
	lfirst(list_nth_cell(scan->fdw_private, PRIVATE_COLUMNS)) = names;

	/* A PathKey does not outlive planning, and the scan does not need it. */
	foreach(cell, (List *) list_nth(scan->fdw_private, PRIVATE_SORT))
		lfirst(list_nth_cell((List *) lfirst(cell), SORT_PATHKEY)) = NULL;
	return scan;
}
