/*-------------------------------------------------------------------------
 *
 * frames.c
 *		Frames and MessagePack, in and out, every length checked.
 *
 *-------------------------------------------------------------------------
 */
#include "frames.h"

#include <stdlib.h>
#include <string.h>

#define DEEPEST		4			/* arrays in arrays: of I's answer */

/* The answers that a worker may give. */
#define ANSWERS		"HRPZE"


/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

/* The head of a frame; false when no worker of ours can have sent it. */
bool
ct_read_head(const char *bytes, FrameHead *head)
{
	memcpy(&head->length, bytes, sizeof(head->length));
	head->type = bytes[4];
	memcpy(&head->number, bytes + 5, sizeof(head->number));
	return head->type != '\0' && strchr(ANSWERS, head->type) != NULL &&
		head->length >= 1 && head->length <= FRAME_MOST;
}

/* Step over the next "size" bytes, NULL when there are fewer. */
static const unsigned char *
take(Reader *reader, size_t size)
{
	const unsigned char *here = reader->next;

	if ((size_t) (reader->end - here) < size)
		return NULL;
	reader->next = here + size;
	return here;
}

/* The number that "size" bytes tell, the highest first. */
static bool
take_number(Reader *reader, int size, uint64_t *number)
{
	const unsigned char *bytes = take(reader, size);

	*number = 0;
	while (bytes && size-- > 0)
		*number = *number << 8 | *bytes++;
	return bytes != NULL;
}

/* A text, or the head of an array, of a length that "size" bytes tell. */
static bool
take_length(Reader *reader, Packed *value, PackedKind kind, int size, uint32_t length)
{
	uint64_t	told = length;

	if (size > 0 && !take_number(reader, size, &told))
		return false;
	value->kind = kind;
	value->length = (uint32_t) told;
	if (kind == PACKED_ARRAY)	/* each element has a byte at least */
		return value->length <= (size_t) (reader->end - reader->next);
	value->text = (const char *) take(reader, value->length);
	return value->text != NULL;
}

/* A number of "size" bytes. */
static bool
take_integer(Reader *reader, Packed *value, int size, bool is_signed)
{
	uint64_t	told;

	if (!take_number(reader, size, &told))
		return false;
	value->kind = PACKED_INT;
	if (is_signed && size < 8 && told >> (8 * size - 1))
		told |= ~(uint64_t) 0 << (8 * size);
	value->integer = (int64_t) told;
	return is_signed || value->integer >= 0;
}

static bool
take_float(Reader *reader, Packed *value, int size)
{
	uint64_t	told;

	if (!take_number(reader, size, &told))
		return false;
	value->kind = PACKED_FLOAT;
	if (size == 4)
	{
		uint32_t	bits = (uint32_t) told;
		float		number;

		memcpy(&number, &bits, sizeof(number));
		value->number = number;
	}
	else
		memcpy(&value->number, &told, sizeof(value->number));
	return true;
}

/*
 * The next value; of an array only its length, its elements follow.  False
 * when there is none, or one of a kind that is not sent.
 */
bool
ct_read_value(Reader *reader, Packed *value)
{
	const unsigned char *byte = take(reader, 1);
	int			kind = byte ? *byte : 0xc1;

	if (kind < 0x80 || kind >= 0xe0)
	{
		value->kind = PACKED_INT;
		value->integer = (signed char) kind;
		return true;
	}
	if ((kind & 0xe0) == 0xa0)
		return take_length(reader, value, PACKED_TEXT, 0, kind & 0x1f);
	if ((kind & 0xf0) == 0x90)
		return take_length(reader, value, PACKED_ARRAY, 0, kind & 0x0f);
	switch (kind)
	{
		case 0xc0:
			value->kind = PACKED_NIL;
			return true;
		case 0xc2:
		case 0xc3:
			value->kind = PACKED_BOOL;
			value->boolean = kind == 0xc3;
			return true;
		case 0xca:
		case 0xcb:
			return take_float(reader, value, kind == 0xca ? 4 : 8);
		case 0xcc:
		case 0xcd:
		case 0xce:
		case 0xcf:
			return take_integer(reader, value, 1 << (kind - 0xcc), false);
		case 0xd0:
		case 0xd1:
		case 0xd2:
		case 0xd3:
			return take_integer(reader, value, 1 << (kind - 0xd0), true);
		case 0xd9:
		case 0xda:
		case 0xdb:
			return take_length(reader, value, PACKED_TEXT, 1 << (kind - 0xd9), 0);
		case 0xdc:
		case 0xdd:
			return take_length(reader, value, PACKED_ARRAY, kind == 0xdc ? 2 : 4, 0);
		default:
			return false;
	}
}

/* The head of an array. */
bool
ct_read_array(Reader *reader, uint32_t *length)
{
	Packed		value;

	if (!ct_read_value(reader, &value) || value.kind != PACKED_ARRAY)
		return false;
	*length = value.length;
	return true;
}

/* A text; NULL for nil. */
bool
ct_read_text(Reader *reader, const char **text, uint32_t *length)
{
	Packed		value;

	if (!ct_read_value(reader, &value) || (value.kind != PACKED_TEXT && value.kind != PACKED_NIL))
		return false;
	*text = value.kind == PACKED_TEXT ? value.text : NULL;
	*length = value.kind == PACKED_TEXT ? value.length : 0;
	return true;
}

/* How many bytes the character that begins here has in UTF-8, 0 when it is none, or NUL. */
static size_t
character(const unsigned char *here, size_t left)
{
	size_t		size = *here < 0x80 ? 1 : *here < 0xc2 ? 0 : *here < 0xe0 ? 2 :
		*here < 0xf0 ? 3 : *here < 0xf5 ? 4 : 0;

	if (size > left || *here == 0)
		return 0;
	for (size_t number = 1; number < size; number++)
	{
		if ((here[number] & 0xc0) != 0x80)
			return 0;
	}
	/* longer than needed, a surrogate, beyond the last character */
	if ((*here == 0xe0 && here[1] < 0xa0) || (*here == 0xed && here[1] > 0x9f) ||
		(*here == 0xf0 && here[1] < 0x90) || (*here == 0xf4 && here[1] > 0x8f))
		return 0;
	return size;
}

static bool
is_text(const char *text, size_t length)
{
	const unsigned char *here = (const unsigned char *) text;
	const uint64_t ones = ~(uint64_t) 0 / 0xff;

	while (length > 0)
	{
		uint64_t	eight;
		size_t		size;

		/* eight bytes of ASCII without NUL at once */
		if (length >= 8)
		{
			memcpy(&eight, here, 8);
			if (((eight | (eight - ones)) & (ones << 7)) == 0)
			{
				here += 8;
				length -= 8;
				continue;
			}
		}
		size = character(here, length);
		if (size == 0)
			return false;
		here += size;
		length -= size;
	}
	return true;
}

/* Step over a value that has at most "depth" arrays in each other; whether it is well-formed. */
bool
ct_skip_value(Reader *reader, int depth)
{
	Packed		value;

	if (!ct_read_value(reader, &value))
		return false;
	if (value.kind == PACKED_TEXT)
		return is_text(value.text, value.length);
	if (value.kind != PACKED_ARRAY)
		return true;
	if (depth == 0)
		return false;
	for (uint32_t number = 0; number < value.length; number++)
	{
		if (!ct_skip_value(reader, depth - 1))
			return false;
	}
	return true;
}

/* E: four texts, of which the last two may be nil. */
static bool
check_error(Reader reader)
{
	uint32_t	length;
	const char *text;

	if (!ct_read_array(&reader, &length) || length != 4)
		return false;
	for (int number = 0; number < 4; number++)
	{
		if (!ct_read_text(&reader, &text, &length) || (number < 2 && text == NULL))
			return false;
	}
	return true;
}

/* H: the protocol and names. */
static bool
check_hello(Reader reader)
{
	Packed		value;
	uint32_t	length;
	const char *text;

	if (!ct_read_array(&reader, &length) || length != 2 ||
		!ct_read_value(&reader, &value) || value.kind != PACKED_INT ||
		!ct_read_array(&reader, &length))
		return false;
	while (length-- > 0)
	{
		uint32_t	size;

		if (!ct_read_text(&reader, &text, &size) || text == NULL)
			return false;
	}
	return true;
}

/* P: an array of arrays, none of them empty of itself; their values are read one by one. */
static bool
check_page(Reader reader)
{
	uint32_t	rows,
				length;

	if (!ct_read_array(&reader, &rows) || rows == 0)
		return false;
	while (rows-- > 0)
	{
		if (!ct_read_array(&reader, &length))
			return false;
		while (length-- > 0)
		{
			if (!ct_skip_value(&reader, 1))
				return false;
		}
	}
	return true;
}

/*
 * Whether this is one value, well-formed, of the kind that such a frame has.
 * What an R has depends on the request; who reads it looks at each value.
 */
bool
ct_check_answer(char type, const char *bytes, size_t length)
{
	Reader		reader = {(const unsigned char *) bytes, (const unsigned char *) bytes + length};
	Reader		whole = reader;

	if (!ct_skip_value(&reader, DEEPEST) || reader.next != reader.end)
		return false;
	switch (type)
	{
		case 'H':
			return check_hello(whole);
		case 'P':
			return check_page(whole);
		case 'E':
			return check_error(whole);
		case 'Z':
			return length == 1 && *whole.next == 0xc0;
		default:
			return type == 'R';
	}
}


/* ------------------------------------------------------------------------
 * Writing
 * ------------------------------------------------------------------------
 */

/* Make room for "size" more bytes, and give the place; NULL without memory. */
static char *
grow(Writer *writer, size_t size)
{
	char	   *place;

	if (writer->failed)
		return NULL;
	if (writer->room - writer->length < size)
	{
		size_t		room = (writer->length + size) * 2;
		char	   *data = realloc(writer->data, room);

		if (data == NULL)
		{
			writer->failed = true;
			return NULL;
		}
		writer->data = data;
		writer->room = room;
	}
	place = writer->data + writer->length;
	writer->length += size;
	return place;
}

/* A byte that tells a kind, and a number of "size" bytes after it. */
static void
put(Writer *writer, int kind, uint64_t number, int size)
{
	char	   *place = grow(writer, 1 + size);

	if (place == NULL)
		return;
	*place = (char) kind;
	for (int byte = size; byte > 0; byte--)
	{
		place[byte] = (char) (number & 0xff);
		number >>= 8;
	}
}

void
ct_put_array(Writer *writer, uint32_t length)
{
	if (length < 16)
		put(writer, 0x90 | length, 0, 0);
	else
		put(writer, 0xdd, length, 4);
}

void
ct_put_nil(Writer *writer)
{
	put(writer, 0xc0, 0, 0);
}

void
ct_put_bool(Writer *writer, bool value)
{
	put(writer, value ? 0xc3 : 0xc2, 0, 0);
}

void
ct_put_int(Writer *writer, int64_t value)
{
	put(writer, 0xd3, (uint64_t) value, 8);
}

void
ct_put_text(Writer *writer, const char *text, size_t length)
{
	if (length < 32)
		put(writer, 0xa0 | (int) length, 0, 0);
	else
		put(writer, 0xdb, length, 4);
	ct_put_bytes(writer, text, length);
}

/* Bytes as they are. */
void
ct_put_bytes(Writer *writer, const char *bytes, size_t length)
{
	char	   *place = grow(writer, length);

	if (place && length > 0)
		memcpy(place, bytes, length);
}

/* Begin a frame; the result is for ct_end_frame, which fills in its length. */
size_t
ct_begin_frame(Writer *writer, char type, uint32_t number)
{
	size_t		begin = writer->length;
	char	   *place = grow(writer, FRAME_HEAD);

	if (place)
	{
		memset(place, 0, 4);
		place[4] = type;
		memcpy(place + 5, &number, sizeof(number));
	}
	return begin;
}

void
ct_end_frame(Writer *writer, size_t begin)
{
	uint32_t	length = (uint32_t) (writer->length - begin - FRAME_HEAD);

	if (writer->length - begin - FRAME_HEAD > UINT32_MAX)
		writer->failed = true;
	if (!writer->failed)
		memcpy(writer->data + begin, &length, sizeof(length));
}
