/*-------------------------------------------------------------------------
 *
 * frames.h
 *		What goes between the backend and its Python worker, as bytes.
 *
 * Both sides send frames over one socket: a head of FRAME_HEAD bytes (uint32
 * length of what follows the head, uint8 type, uint32 number, in the
 * machine's order) and one value of MessagePack.  A number is that of a scan,
 * or that of a request, whose highest bit is set; 0 is the hello's.
 *
 * worker:	H [protocol, [setting, ...]]	once, at the start: names of settings
 *										that P, S and X are to bring
 * backend: O [table, [option, value, ...], [column, ...]]
 *										R nil.  What a table is; again after a
 *										change.  "table" is a number of ours,
 *										one for a table and a user; options are
 *										those of server, mapping and table, the
 *										later of one name counting
 *			P [table, quals, wanted, settings]
 *										R [rows, width, key|nil,
 *										[[column, descending], ...],
 *										[[column, nullable], ...]].  Planning:
 *										sizes, the key that a query must bind,
 *										orders that a scan can have, columns
 *										that choose what is read
 *			S [table, quals, wanted, settings, [column, descending]|nil,
 *			   all rows, statement]		no answer.  A scan begins
 *			N nil						P page, Z nil at the end, or E, that of S too
 *			L [key, more]				P [[key, row|nil], ...] or E: the row of
 *										this key, which comes first, and those of
 *										at most so many others that are foreseen;
 *										of a scan that has no qual for the key
 *			C nil						no answer.  The scan or request of this
 *										number is over; what waits for it ends
 *			X [table, quals, wanted, settings, [column, descending]|nil,
 *			   verbose, [column, ...]]	R [line, ...].  EXPLAIN; the last are
 *										columns with a bound at run time
 *			I [schema, [option, value, ...], "limit"|"except"|nil, [table, ...]]
 *										R [[table, [[column, type], ...]], ...]
 * worker:	E [sqlstate, message, detail|nil, hint|nil]
 *										instead of any answer
 *
 * N, L and what has an R are answered by one frame each, under their number,
 * also when they were closed meanwhile.  A scan is over after Z and E; a close
 * may come for what is over, or was never there.
 *
 * quals: [[column, operator, nil|use_or, value], ...], use_or true for ANY and
 * false for ALL.  A value is nil, a text, an integer (of an int4), or an array
 * of these; IS NULL is "=" and nil, IS NOT NULL "<>" and nil.  Times are ISO in
 * UTC.  wanted: names of columns in the order of the table, which is the order
 * of a row's values.  page: an array of one row or more, a row an array of a
 * text, boolean, integer, float or nil for each wanted column.  settings: a text
 * or nil for each name of H.  statement: an integer, the same for all scans of
 * one statement.
 *
 * Texts are UTF-8 without NUL; nothing else of MessagePack is taken.  This
 * file and frames.c need no PostgreSQL, so that they can be fuzzed alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CLOUDTRAIL_FDW_FRAMES_H
#define CLOUDTRAIL_FDW_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTOCOL		1
#define FRAME_HEAD		9
#define FRAME_MOST		(256 * 1024 * 1024) /* bytes after the head */
#define FRAME_REQUEST	0x80000000u /* in the number of a request */

typedef struct FrameHead
{
	uint32_t	length;
	char		type;
	uint32_t	number;
} FrameHead;

/* A growing frame; malloc'd, as it outlives errors. */
typedef struct Writer
{
	char	   *data;
	size_t		length;
	size_t		room;
	bool		failed;			/* no memory, or a frame too long to tell its length */
} Writer;

/* Values that are left to read. */
typedef struct Reader
{
	const unsigned char *next;
	const unsigned char *end;
} Reader;

typedef enum PackedKind
{
	PACKED_NIL,
	PACKED_BOOL,
	PACKED_INT,
	PACKED_FLOAT,
	PACKED_TEXT,
	PACKED_ARRAY
} PackedKind;

typedef struct Packed
{
	PackedKind	kind;
	bool		boolean;
	int64_t		integer;
	double		number;
	const char *text;			/* not terminated */
	uint32_t	length;			/* of the text, or elements of the array that follow */
} Packed;

#if defined(__GNUC__) && !defined(__TINYC__)
#pragma GCC visibility push(hidden)
#endif

extern bool ct_read_head(const char *bytes, FrameHead *head);
extern bool ct_check_answer(char type, const char *bytes, size_t length);

extern bool ct_read_value(Reader *reader, Packed *value);
extern bool ct_read_array(Reader *reader, uint32_t *length);
extern bool ct_read_text(Reader *reader, const char **text, uint32_t *length);
extern bool ct_skip_value(Reader *reader, int depth);

extern void ct_put_array(Writer *writer, uint32_t length);
extern void ct_put_nil(Writer *writer);
extern void ct_put_bool(Writer *writer, bool value);
extern void ct_put_int(Writer *writer, int64_t value);
extern void ct_put_text(Writer *writer, const char *text, size_t length);
extern void ct_put_bytes(Writer *writer, const char *bytes, size_t length);
extern size_t ct_begin_frame(Writer *writer, char type, uint32_t number);
extern void ct_end_frame(Writer *writer, size_t begin);

#if defined(__GNUC__) && !defined(__TINYC__)
#pragma GCC visibility pop
#endif

#endif							/* CLOUDTRAIL_FDW_FRAMES_H */
