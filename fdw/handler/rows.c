/*-------------------------------------------------------------------------
 *
 * rows.c
 *		Rows that come packed.
 *
 *-------------------------------------------------------------------------
 */
#include "cloudtrail_fdw.h"

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"


void
ct_damaged(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("cloudtrail_fdw handed over rows that cannot be read"),
			 errhint("Run cloudtrail-fdw install again and connect anew; if that does not help, report it.")));
}

/* A text as a value of a column; "length" bytes of UTF-8. */
static Datum
column_value(PackedColumn *column, const char *bytes, uint32 length)
{
	char	   *string;

	if (memchr(bytes, 0, length) != NULL)
		ct_damaged();
	if (column->type == TEXTOID && GetDatabaseEncoding() == PG_UTF8)
		return PointerGetDatum(cstring_to_text_with_len(bytes, length));
	string = pnstrdup(bytes, length);
	string = pg_any_to_server(string, length, PG_UTF8);
	return InputFunctionCall(&column->input, string, column->ioparam, column->typmod);
}

/* A number as a value of a column. */
static Datum
number_value(PackedColumn *column, Packed *value)
{
	char		digits[64];
	int			length;

	if (value->kind == PACKED_INT && column->type == INT8OID)
		return Int64GetDatum(value->integer);
	if (value->kind == PACKED_FLOAT && column->type == FLOAT8OID)
		return Float8GetDatum(value->number);
	if (value->kind == PACKED_INT)
		length = snprintf(digits, sizeof(digits), INT64_FORMAT, (int64) value->integer);
	else
		length = double_to_shortest_decimal_buf(value->number, digits);
	return column_value(column, digits, length);
}

/* Fill the next value of a row. */
static void
packed_value(Reader *reader, PackedColumn *column, TupleTableSlot *slot)
{
	Packed		value;
	Datum	   *datum = &slot->tts_values[column->place];

	if (!ct_read_value(reader, &value) || value.kind == PACKED_ARRAY)
		ct_damaged();
	if (value.kind == PACKED_NIL)
		return;
	slot->tts_isnull[column->place] = false;
	if (value.kind == PACKED_TEXT)
		*datum = column_value(column, value.text, value.length);
	else if (value.kind != PACKED_BOOL)
		*datum = number_value(column, &value);
	else if (column->type == BOOLOID)
		*datum = BoolGetDatum(value.boolean);
	else
		*datum = column_value(column, value.boolean ? "true" : "false", value.boolean ? 4 : 5);
}

/* The wanted columns of a scan, in the order of the table. */
static void
find_packed_columns(TableScan *scan)
{
	ForeignScan *plan = (ForeignScan *) scan->node->ss.ps.plan;
	List	   *names = list_nth(plan->fdw_private, PRIVATE_COLUMNS);
	TupleDesc	layout = scan->node->ss.ss_ScanTupleSlot->tts_tupleDescriptor;
	MemoryContext memory = scan->node->ss.ps.state->es_query_cxt;
	ListCell   *cell;

	scan->columns = MemoryContextAllocZero(memory, (layout->natts + 1) * sizeof(PackedColumn));
	for (int place = 0; place < layout->natts; place++)
	{
		Form_pg_attribute attribute = TupleDescAttr(layout, place);
		PackedColumn *column = &scan->columns[scan->ncolumns];
		Oid			input;

		if (attribute->attisdropped)
			continue;
		foreach(cell, names)
		{
			if (strcmp(strVal(lfirst(cell)), NameStr(attribute->attname)) != 0)
				continue;
			column->place = place;
			column->type = attribute->atttypid;
			column->typmod = attribute->atttypmod;
			getTypeInputInfo(column->type, &input, &column->ioparam);
			fmgr_info_cxt(input, &column->input, memory);
			scan->ncolumns++;
			break;
		}
	}
}

/* The row that begins here, in the memory of one row, which is the current one. */
TupleTableSlot *
ct_read_row(TableScan *scan, Reader *reader)
{
	TupleTableSlot *slot = scan->node->ss.ss_ScanTupleSlot;
	uint32		length;

	if (scan->columns == NULL)
		find_packed_columns(scan);
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	if (!ct_read_array(reader, &length) || length != (uint32) scan->ncolumns)
		ct_damaged();
	for (int number = 0; number < scan->ncolumns; number++)
		packed_value(reader, &scan->columns[number], slot);
	return ExecStoreVirtualTuple(slot);
}

/* The next packed row. */
TupleTableSlot *
ct_packed_row(TableScan *scan)
{
	scan->rows--;
	return ct_read_row(scan, &scan->left);
}

/* Let go of packed rows. */
void
ct_drop_packed(TableScan *scan)
{
	free(scan->packed);
	scan->packed = NULL;
	scan->rows = 0;
}

/* Take over malloc'd rows that Python handed over, one at least. */
void
ct_take_packed(TableScan *scan, char *rows, size_t length)
{
	ct_drop_packed(scan);
	scan->packed = rows;
	scan->left.next = (unsigned char *) rows;
	scan->left.end = scan->left.next + length;
	if (!ct_read_array(&scan->left, &scan->rows) || scan->rows == 0)
		ct_damaged();
}
