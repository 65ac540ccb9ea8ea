/*-------------------------------------------------------------------------
 *
 * values.c
 *		What is handed over: the values of operands.
 *
 *-------------------------------------------------------------------------
 */
#include "cloudtrail_fdw.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"


/* An instant as text that reads the same in every session: ISO, UTC. */
static Datum
utc_text(TimestampTz instant)
{
	char		buffer[MAXDATELEN + 1];
	struct pg_tm tm;
	fsec_t		fsec;

	if (TIMESTAMP_NOT_FINITE(instant))
		EncodeSpecialTimestamp(instant, buffer);
	else
	{
		if (timestamp2tm(instant, NULL, &tm, &fsec, NULL, NULL) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("timestamp out of range")));
		tm.tm_isdst = 0;
		EncodeDateTime(&tm, fsec, true, 0, NULL, USE_ISO_DATES, buffer);
	}
	return CStringGetTextDatum(buffer);
}

/*
 * A value of an operand's type as it is handed over.  Dates and timestamps
 * are taken in the session's time zone and, when too large, as infinity, as
 * the operators that compare them with a timestamptz do.
 */
static Datum
convert(Datum value, Conversion conversion)
{
	int			overflow = 0;

	switch (conversion)
	{
		case INT4_TO_INT8:
			return Int64GetDatum(DatumGetInt32(value));
		case NAME_TO_TEXT:
			return CStringGetTextDatum(NameStr(*DatumGetName(value)));
		case DATE_TO_TEXT:
			return utc_text(date2timestamptz_opt_overflow(DatumGetDateADT(value), &overflow));
		case TIMESTAMP_TO_TEXT:
			return utc_text(timestamp2timestamptz_opt_overflow(DatumGetTimestamp(value),
															   &overflow));
		case TIMESTAMPTZ_TO_TEXT:
			return utc_text(DatumGetTimestampTz(value));
		default:
			return value;
	}
}

/* A value that is not NULL, of the operand's type, as a constant to hand over. */
Expr *
ct_constant(Bound *bound, Datum value)
{
	int16		length;
	bool		byval;

	get_typlenbyval(bound->type, &length, &byval);
	return (Expr *) makeConst(bound->type, -1, get_typcollation(bound->type), length,
							  convert(value, bound->conversion), false, byval);
}

/* What the clauses of a finished plan prove. */
List *
ct_all_bounds(ForeignScan *plan)
{
	List	   *bounds = NIL;
	ListCell   *cell;

	foreach(cell, plan->scan.plan.qual)
		bounds = list_concat(bounds, ct_proven_bounds(lfirst(cell), plan->scan.scanrelid));
	return bounds;
}

/*
 * What the clauses of a scan prove, with the values of constant operands; the
 * others become operands of the scan.
 */
List *
ct_scan_bounds(TableScan *scan)
{
	ForeignScan *plan = (ForeignScan *) scan->node->ss.ps.plan;
	List	   *bounds = NIL,
			   *types = NIL;
	ListCell   *cell;
	int			number = 0;

	foreach(cell, ct_all_bounds(plan))
	{
		Bound	   *bound = lfirst(cell);

		if (bound->operand && IsA(bound->operand, Const))
		{
			Const	   *known = (Const *) bound->operand;

			scan->never |= known->constisnull;
			if (known->constisnull)
				continue;
			bound->value = ct_constant(bound, known->constvalue);
		}
		else if (bound->operand)
		{
			scan->operands = lappend(scan->operands,
									 ExecInitExpr(bound->operand, (PlanState *) scan->node));
			scan->conversions = lappend_int(scan->conversions, bound->conversion);
			bound->param = list_length(scan->operands);
			types = lappend_oid(types, bound->type);
		}
		bounds = lappend(bounds, bound);
	}
	scan->params = makeParamList(list_length(types));
	foreach(cell, types)
	{
		ParamExternData *param = &scan->params->params[number++];

		param->pflags = 0;
		param->ptype = lfirst_oid(cell);
	}
	return bounds;
}

/*
 * Evaluate the operands.  When one is NULL, no row is selected, as their
 * operators are strict.
 */
void
ct_evaluate_operands(TableScan *scan)
{
	ExprContext *econtext = scan->node->ss.ps.ps_ExprContext;
	ListCell   *operand,
			   *conversion;
	int			number = 0;

	scan->empty = scan->never;
	forboth(operand, scan->operands, conversion, scan->conversions)
	{
		ParamExternData *param = &scan->params->params[number++];

		if (scan->empty)
			return;
		param->value = ExecEvalExpr((ExprState *) lfirst(operand), econtext, &param->isnull);
		scan->empty = param->isnull;
		if (!param->isnull)
			param->value = convert(param->value, (Conversion) lfirst_int(conversion));
	}
}
