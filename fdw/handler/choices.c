/*-------------------------------------------------------------------------
 *
 * choices.c
 *		Conditions on columns that choose what is read.
 *
 *-------------------------------------------------------------------------
 */
#include "cloudtrail_fdw.h"

#include "catalog/pg_type.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/execnodes.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/*
 * Some columns choose what is read: a log group, a filter pattern.  Without a
 * value the table gives what it gives by default.  A condition on such a
 * column that does not tell its values when the scan starts (OR with other
 * columns, a function of it, LIKE, a hash join, a filter above a CTE) would
 * be checked by PostgreSQL on rows of the default alone.  So the finished
 * plan is searched for what the column's values lead to.  What only shows
 * them, or something about them, is no condition: a select list, the rows
 * that an outer join adds.
 */

/* Columns of a row, by number. */
typedef struct Carried
{
	Bitmapset  *own;			/* depend on the column */
	Bitmapset  *row;			/* have the scan's whole row in them */
	Bitmapset  *tests;			/* are made by a test of it */
	Bitmapset  *kin;			/* are values of the column, of this or another such scan */
} Carried;

/* The search for one column of one scan. */
typedef struct Search
{
	PlannedStmt *query;
	ForeignScan *scan;
	Oid			wrapper;		/* the scan's foreign-data wrapper */
	AttrNumber	column;
	char	   *name;			/* of the column */
	bool		nullable;
	Carried	   *results;		/* of each subplan */
	Carried		worktable;		/* of a recursive query */
	Carried		row_params;		/* parameters with values of an outer row */
	Carried		result_params;	/* parameters with results of subplans */
	bool		grown;			/* since the last look at the whole plan */
	bool		found;			/* a condition */
	/* Where columns of expressions come from; of a scan, its rows. */
	Carried		outer;
	Carried		inner;
	Carried		rows;
	Index		relid;			/* whose rows these are */
	bool		whole_row;		/* an expression has the whole row of the scan */
	bool		params_too;		/* values of outer rows count, too */
} Search;

static Carried search_plan(Search *search, Plan *plan);
static bool carries(Node *node, Search *search);

static void
add_carried(Carried *all, Carried more)
{
	all->own = bms_union(all->own, more.own);
	all->row = bms_union(all->row, more.row);
	all->tests = bms_union(all->tests, more.tests);
	all->kin = bms_union(all->kin, more.kin);
}

/* Note the value of a parameter. */
static void
set_param(Search *search, Carried *params, int param, bool own, bool kin)
{
	search->grown |= (own && !bms_is_member(param, params->own)) ||
		(kin && !bms_is_member(param, params->kin));
	if (own)
		params->own = bms_add_member(params->own, param);
	if (kin)
		params->kin = bms_add_member(params->kin, param);
}

/* What a column reference of an expression refers to. */
static Carried *
source_of(Search *search, Var *var)
{
	if (var->varno == OUTER_VAR)
		return &search->outer;
	if (var->varno == INNER_VAR)
		return &search->inner;
	return (Index) var->varno == search->relid ? &search->rows : NULL;
}

/* Whether an expression is just a value of the column, of any such scan. */
static bool
is_kin(Node *node, Search *search)
{
	Carried    *source;

	if (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC)
		return bms_is_member(((Param *) node)->paramid, search->row_params.kin) ||
			bms_is_member(((Param *) node)->paramid, search->result_params.kin);
	source = IsA(node, Var) ? source_of(search, (Var *) node) : NULL;
	return source && ((Var *) node)->varattno > 0 &&
		bms_is_member(((Var *) node)->varattno, source->kin);
}

/* Whether an expression is a column that has the scan's whole row in it, or that row itself. */
static bool
is_row(Node *node, Search *search)
{
	Var		   *var = (Var *) node;
	Carried    *source = IsA(node, Var) ? source_of(search, var) : NULL;

	if (source == NULL)
		return false;
	return var->varattno == 0 ? !bms_is_empty(source->own) || !bms_is_empty(source->row) :
		var->varattno > 0 && bms_is_member(var->varattno, source->row);
}

/* Whether a condition says that two values of the column are equal: it tells none of them. */
static bool
is_of_kin(Node *node, Search *search)
{
	OpExpr	   *condition = (OpExpr *) node;

	return IsA(node, OpExpr) && list_length(condition->args) == 2 &&
		strcmp(get_opname(condition->opno), "=") == 0 &&
		is_kin(linitial(condition->args), search) && is_kin(lsecond(condition->args), search);
}

/* Note what a subplan gets of the row; whether its result depends on the column. */
static bool
subplan_carries(SubPlan *subplan, Search *search)
{
	bool		carried = !bms_is_empty(search->results[subplan->plan_id - 1].own) &&
		subplan->subLinkType != EXISTS_SUBLINK;
	ListCell   *param,
			   *arg;

	forboth(param, subplan->parParam, arg, subplan->args)
	{
		bool		own = carries(lfirst(arg), search);

		set_param(search, &search->row_params, lfirst_int(param), own, is_kin(lfirst(arg), search));
		carried |= own;
	}
	return carried || carries(subplan->testexpr, search);
}

/* Whether the value of an expression depends on the column. */
static bool
carries(Node *node, Search *search)
{
	if (node == NULL)
		return false;
	check_stack_depth();
	search->whole_row |= is_row(node, search);
	if (IsA(node, Var))
	{
		Carried    *source = source_of(search, (Var *) node);

		return source && ((Var *) node)->varattno > 0 &&
			bms_is_member(((Var *) node)->varattno, source->own);
	}
	if (IsA(node, FieldSelect) && is_row((Node *) ((FieldSelect *) node)->arg, search))
		return ((FieldSelect *) node)->fieldnum == search->column;
	if (IsA(node, Param))
	{
		Param	   *param = (Param *) node;

		return param->paramkind == PARAM_EXEC &&
			(bms_is_member(param->paramid, search->result_params.own) ||
			 (search->params_too && bms_is_member(param->paramid, search->row_params.own)));
	}
	if (IsA(node, SubPlan))
		return subplan_carries((SubPlan *) node, search);
	if (IsA(node, NullTest) && (((NullTest *) node)->nulltesttype == IS_NULL || !search->nullable))
		return false;
	if (is_of_kin(node, search))
		return false;
	return expression_tree_walker(node, carries, search);
}

/* Whether an expression has a constant in whose text the column's name stands. */
static bool
names_column(Node *node, Search *search)
{
	if (node == NULL)
		return false;
	if (IsA(node, Const) && !((Const *) node)->constisnull)
	{
		Oid			output;
		bool		varlena;

		getTypeOutputInfo(((Const *) node)->consttype, &output, &varlena);
		return strstr(OidOutputFunctionCall(output, ((Const *) node)->constvalue),
					  search->name) != NULL;
	}
	return expression_tree_walker(node, names_column, search);
}

/* Whether a condition asks for values of the column, or for a member of the whole row by its name. */
static bool
is_condition(Node *node, Search *search)
{
	search->whole_row = false;
	return carries(node, search) || (search->whole_row && names_column(node, search));
}

/* Look at conditions of a plan node: a list of them, or one. */
static void
search_conditions(Search *search, Node *conditions)
{
	ListCell   *cell;

	if (conditions && IsA(conditions, List))
	{
		foreach(cell, (List *) conditions)
			search_conditions(search, lfirst(cell));
		return;
	}
	search->found |= is_condition(conditions, search);
}

/* Whether an expression is a test of something. */
static bool
is_test(Node *node)
{
	switch (nodeTag(node))
	{
		case T_CaseExpr:
		case T_NullIfExpr:
			return true;
		case T_OpExpr:
		case T_FuncExpr:
		case T_SubPlan:
		case T_CoerceViaIO:
			return exprType(node) == BOOLOID;
		case T_ScalarArrayOpExpr:
		case T_DistinctExpr:
		case T_RowCompareExpr:
		case T_NullTest:
			return true;
		default:
			return false;
	}
}

/* Whether an expression tests the column, or has the result of a test: what fails it is lost. */
static bool
has_test(Node *node, Search *search)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		Carried    *source = source_of(search, (Var *) node);

		return source && ((Var *) node)->varattno > 0 &&
			bms_is_member(((Var *) node)->varattno, source->tests);
	}
	return (is_test(node) && is_condition(node, search)) ||
		expression_tree_walker(node, has_test, search);
}

/*
 * Look at what a plan node computes: an aggregate of only some rows, or a
 * function that gives as many rows as it likes, is as good as a condition.
 */
static bool
search_output(Node *node, Search *search)
{
	if (node == NULL)
		return false;
	if (IsA(node, Aggref) || IsA(node, WindowFunc))
	{
		search_conditions(search, (Node *) (IsA(node, Aggref) ? ((Aggref *) node)->aggfilter :
											((WindowFunc *) node)->aggfilter));
		search->found |= has_test((Node *) (IsA(node, Aggref) ? ((Aggref *) node)->args :
											((WindowFunc *) node)->args), search);
	}
	if ((IsA(node, FuncExpr) && ((FuncExpr *) node)->funcretset) ||
		(IsA(node, OpExpr) && ((OpExpr *) node)->opretset))
		search_conditions(search, node);
	return expression_tree_walker(node, search_output, search);
}

/* The rows of one of our own scans. */
static Carried
search_scan(Search *search, ForeignScan *scan)
{
	Carried		rows = {0};
	ListCell   *cell;

	if (scan == search->scan)
	{
		rows.own = bms_make_singleton(search->column);
		rows.kin = bms_make_singleton(search->column);
	}
	else if (OidIsValid(scan->fs_server) &&
			 GetForeignServer(scan->fs_server)->fdwid == search->wrapper)
	{
		Oid			table = rt_fetch(scan->scan.scanrelid, search->query->rtable)->relid;

		foreach(cell, (List *) list_nth(scan->fdw_private, PRIVATE_COLUMNS))
		{
			char	   *mark = strVal(lfirst(cell));

			if (strncmp(mark, MARK_CHOICE, strlen(MARK_CHOICE)) == 0 &&
				strcmp(mark + strlen(MARK_CHOICE), search->name) == 0)
				rows.kin = bms_make_singleton(get_attnum(table, search->name));
		}
	}
	return rows;
}

/* The rows that a scan node reads, and the conditions that only its kind has. */
static Carried
search_rows(Search *search, Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_ForeignScan:
			return search_scan(search, (ForeignScan *) plan);
		case T_SubqueryScan:
			return search_plan(search, ((SubqueryScan *) plan)->subplan);
		case T_CteScan:
			return search->results[((CteScan *) plan)->ctePlanId - 1];
		case T_WorkTableScan:
			return search->worktable;
		default:
			return (Carried) {0};
	}
}

/* The relation that a plan node scans, 0 for none. */
static Index
scanned(Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_ForeignScan:
		case T_SubqueryScan:
		case T_CteScan:
		case T_WorkTableScan:
			return ((Scan *) plan)->scanrelid;
		default:
			return 0;
	}
}

/* Every column of a plan's rows. */
static Carried
all_columns(Plan *plan, Carried like)
{
	Carried		all = {0};

	if (!bms_is_empty(like.own))
		all.own = bms_add_range(NULL, 1, Max(list_length(plan->targetlist), 1));
	return all;
}

/*
 * The conditions of a join.  Those of an outer join take nothing from the side
 * that it keeps whole; what it adds to these rows then depends on the column.
 */
static void
search_join(Search *search, Plan *plan, List *conditions)
{
	JoinType	type = ((Join *) plan)->jointype;
	Carried		outer = search->outer,
				inner = search->inner,
				none = {0};
	bool		before = search->found;

	search->found = false;
	search_conditions(search, (Node *) conditions);
	if (search->found && type == JOIN_LEFT)
	{
		search->found = false;
		search->outer.own = none.own;
		search_conditions(search, (Node *) conditions);
		search->outer = outer;
		add_carried(&search->inner, all_columns(plan->righttree, outer));
	}
	else if (search->found && type == JOIN_RIGHT)
	{
		search->found = false;
		search->inner.own = none.own;
		search_conditions(search, (Node *) conditions);
		search->inner = inner;
		add_carried(&search->outer, all_columns(plan->lefttree, inner));
	}
	else if (search->found && type == JOIN_FULL)
	{
		search->found = false;
		add_carried(&search->outer, all_columns(plan->lefttree, inner));
		add_carried(&search->inner, all_columns(plan->righttree, outer));
	}
	search->found |= before;
}

/* A nested loop's parameters: values of the outer row that the inner side may ask for. */
static void
search_nestloop(Search *search, NestLoop *loop, Carried outer)
{
	bool		lent = false;
	ListCell   *cell;

	search->outer = outer;
	search->inner = (Carried) {0};
	foreach(cell, loop->nestParams)
	{
		NestLoopParam *param = lfirst(cell);
		bool		own = carries((Node *) param->paramval, search);

		set_param(search, &search->row_params, param->paramno, own,
				  is_kin((Node *) param->paramval, search));
		lent |= own;
	}
	search->inner = search_plan(search, loop->join.plan.righttree);
	search->outer = outer;
	if (lent && loop->join.jointype == JOIN_LEFT)
		add_carried(&search->inner, all_columns(loop->join.plan.righttree, outer));
	else if (lent)
		search->found = true;
	search_join(search, (Plan *) loop, loop->join.joinqual);
}

/* All conditions and computations of one plan node, besides those of a join. */
static void
search_node(Search *search, Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_Result:
			search_conditions(search, ((Result *) plan)->resconstantqual);
			break;
#if PG_VERSION_NUM >= 150000
		case T_WindowAgg:
			search_conditions(search, (Node *) ((WindowAgg *) plan)->runCondition);
			break;
#endif
		case T_IndexScan:
			search_conditions(search, (Node *) ((IndexScan *) plan)->indexqualorig);
			break;
		case T_IndexOnlyScan:
			search_conditions(search, (Node *) ((IndexOnlyScan *) plan)->indexqual);
			break;
		case T_BitmapIndexScan:
			search_conditions(search, (Node *) ((BitmapIndexScan *) plan)->indexqualorig);
			break;
		case T_BitmapHeapScan:
			search_conditions(search, (Node *) ((BitmapHeapScan *) plan)->bitmapqualorig);
			break;
		case T_ForeignScan:
			if (plan != (Plan *) search->scan)
				search_conditions(search, (Node *) ((ForeignScan *) plan)->fdw_exprs);
			break;
		case T_SetOp:
			/* INTERSECT or EXCEPT of names alone, not of whole rows */
			if (bms_num_members(search->outer.own) >= ((SetOp *) plan)->numCols ||
				bms_num_members(search->inner.own) >= ((SetOp *) plan)->numCols)
				search->found = true;
			break;
		default:
			break;
	}
	search_conditions(search, (Node *) plan->qual);
	search_output((Node *) plan->targetlist, search);
}

/* What a plan node gives to the one above: which columns of its rows depend on the column. */
static Carried
output_of(Search *search, Plan *plan)
{
	Carried		output = {0};
	ListCell   *cell;

	search->params_too = true;
	foreach(cell, plan->targetlist)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, cell);

		if (has_test((Node *) entry->expr, search))
			output.tests = bms_add_member(output.tests, entry->resno);
		search->whole_row = false;
		if (carries((Node *) entry->expr, search))
			output.own = bms_add_member(output.own, entry->resno);
		if (search->whole_row)
			output.row = bms_add_member(output.row, entry->resno);
		if (is_kin((Node *) entry->expr, search))
			output.kin = bms_add_member(output.kin, entry->resno);
	}
	search->params_too = false;
	return output;
}

/* The rows of several plans under one node. */
static Carried
search_plans(Search *search, List *plans)
{
	Carried		rows = {0};
	ListCell   *cell;

	foreach(cell, plans)
		add_carried(&rows, search_plan(search, lfirst(cell)));
	return rows;
}

/* Note what a plan's initial subplans leave in parameters. */
static void
search_initplans(Search *search, Plan *plan)
{
	ListCell   *cell,
			   *param;

	foreach(cell, plan->initPlan)
	{
		SubPlan    *subplan = lfirst_node(SubPlan, cell);
		Carried		result = search->results[subplan->plan_id - 1];
		int			column = 1;

		if (subplan->subLinkType == CTE_SUBLINK || subplan->subLinkType == EXISTS_SUBLINK)
			continue;
		foreach(param, subplan->setParam)
		{
			set_param(search, &search->result_params, lfirst_int(param),
					  bms_is_member(column, result.own), bms_is_member(column, result.kin));
			column++;
		}
	}
}

/* Search a plan node and all below it; what it gives to the one above. */
static Carried
search_plan(Search *search, Plan *plan)
{
	Carried		outer,
				inner = {0},
				rows;

	if (plan == NULL)
		return inner;
	check_stack_depth();
	search_initplans(search, plan);
	if (IsA(plan, Append))
		outer = search_plans(search, ((Append *) plan)->appendplans);
	else if (IsA(plan, MergeAppend))
		outer = search_plans(search, ((MergeAppend *) plan)->mergeplans);
#if PG_VERSION_NUM < 140000
	else if (IsA(plan, ModifyTable))
		outer = search_plans(search, ((ModifyTable *) plan)->plans);
#endif
	else
		outer = search_plan(search, plan->lefttree);
	if (IsA(plan, RecursiveUnion))
		add_carried(&search->worktable, outer);
	if (!IsA(plan, NestLoop))
		inner = search_plan(search, plan->righttree);
	if (IsA(plan, RecursiveUnion))
		add_carried(&search->worktable, inner);
	rows = search_rows(search, plan);

	search->outer = outer;
	search->inner = inner;
	search->rows = rows;
	search->relid = scanned(plan);
	if (IsA(plan, NestLoop))
		search_nestloop(search, (NestLoop *) plan, outer);
	else if (IsA(plan, HashJoin))
		search_join(search, plan, list_concat_copy(((HashJoin *) plan)->hashclauses,
												   ((Join *) plan)->joinqual));
	else if (IsA(plan, MergeJoin))
		search_join(search, plan, list_concat_copy(((MergeJoin *) plan)->mergeclauses,
												   ((Join *) plan)->joinqual));
	search->rows = rows;
	search->relid = scanned(plan);
	search_node(search, plan);
	return output_of(search, plan);
}

/*
 * Whether a plan has a condition on a column of a scan.  What it leads to is
 * followed until no subplan or parameter is new.
 */
static bool
has_condition(PlannedStmt *query, ForeignScan *scan, AttrNumber column, char *name, bool nullable)
{
	Search		search = {0};
	int			nsubplans = list_length(query->subplans);

	search.query = query;
	search.scan = scan;
	search.wrapper = GetForeignServer(scan->fs_server)->fdwid;
	search.column = column;
	search.name = name;
	search.nullable = nullable;
	search.results = palloc0((nsubplans + 1) * sizeof(Carried));
	do
	{
		search.grown = false;
		for (int number = 0; number < nsubplans; number++)
		{
			Carried		result = search_plan(&search, list_nth(query->subplans, number));

			search.grown |= !bms_equal(result.own, search.results[number].own) ||
				!bms_equal(result.kin, search.results[number].kin);
			search.results[number] = result;
		}
		search_plan(&search, query->planTree);
	} while (search.grown && !search.found);
	return search.found;
}

/* The column of a scan that chooses what is read and has a condition that does not tell how. */
char *
ct_find_untold(PlannedStmt *query, ForeignScan *scan, Oid table)
{
	ListCell   *cell;

	foreach(cell, (List *) list_nth(scan->fdw_private, PRIVATE_COLUMNS))
	{
		char	   *mark = strVal(lfirst(cell));
		bool		nullable = strncmp(mark, MARK_NULLABLE, strlen(MARK_NULLABLE)) == 0;
		char	   *name = mark + strlen(nullable ? MARK_NULLABLE : MARK_CHOICE);

		if ((nullable || strncmp(mark, MARK_CHOICE, strlen(MARK_CHOICE)) == 0) &&
			has_condition(query, scan, get_attnum(table, name), name, nullable))
			return name;
	}
	return NULL;
}

void
ct_refuse_untold(ForeignScanState *node, char *column)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg("%s chooses by %s what it reads, and cannot tell it from a condition of this query",
					RelationGetRelationName(node->ss.ss_currentRelation), column),
			 errhint("Give the values in the WHERE that belongs to the table: %s = '...' or %s IN ('...', '...'); "
					 "other conditions may stand beside it.", column, column)));
}
