/* Anthropic Messages, what reads as text: documents, search results, references to tools, and what
 * tools gave back, a client's own or one that a server ran (https://docs.anthropic.com/en/docs:
 * PDF support, search results, web search, code execution, tool search, MCP connector).
 *
 * What cannot be read here is refused by its kind, never left out of the prompt in silence: by
 * words
 * ("could not process image", "does not support PDF input") that make Claude Code leave it out of
 * the conversation, say so, and go on (2.1, 2026-11). */
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/anthropic.h"

bool gs_dialect_anthropic_is(const struct gs_json *block, const char *type)
{
    return gs_slice_eq_str(gs_dialect_peek_string(block, "type"), type);
}

/* The definition of a deferred tool, where the conversation met it. */
static void write_reference(const struct gs_dialect_messages *m, const struct gs_json *ref,
                            struct gs_buf *b)
{
    const struct gs_slice name = gs_dialect_peek_string(ref, "tool_name");
    const struct gs_json *tool = gs_map_get(&m->by_name, name);
    const struct gs_json *schema = gs_json_get(tool, "input_schema");

    if (!tool) {
        gs_buf_puts(b, "The tool ");
        gs_buf_slice(b, name);
        gs_buf_puts(b, " is listed above, or not available.");
        return;
    }
    gs_buf_puts(b, "<function>{\"name\":");
    gs_json_write_string(b, name);
    gs_buf_puts(b, ",\"description\":");
    gs_json_write_string(b, gs_dialect_peek_string(tool, "description"));
    if (schema) {
        gs_buf_puts(b, ",\"parameters\":");
        gs_json_write(b, schema);
    }
    gs_buf_puts(b, "}</function>");
}

/* ---- documents ---- */

/* "Title: ...", where there is one. */
static void write_heading(const struct gs_json *block, const char *key, const char *heading,
                          struct gs_buf *b)
{
    const struct gs_slice value = gs_dialect_peek_string(block, key);

    if (!value.len)
        return;
    gs_buf_puts(b, heading);
    gs_buf_slice(b, value);
    gs_buf_putc(b, '\n');
}

/* A string, or the texts of blocks, one after the other. */
static void write_content(const struct gs_json *content, struct gs_buf *b)
{
    if (content && content->kind == GS_JSON_STRING)
        gs_buf_slice(b, content->u.string);
    for (size_t i = 0; content && content->kind == GS_JSON_ARRAY && i < content->u.array.len; i++)
        gs_buf_slice(b, gs_dialect_peek_string(&content->u.array.items[i], "text"));
}

static void write_document(struct gs_dialect_messages *m, const struct gs_json *block,
                           struct gs_buf *b)
{
    const struct gs_json *source = gs_json_get(block, "source");
    const struct gs_slice kind = gs_dialect_peek_string(source, "type");
    const struct gs_slice type = gs_dialect_peek_string(source, "media_type");

    write_heading(block, "title", "Title: ", b);
    write_heading(block, "context", "Context: ", b);
    if (gs_slice_eq_str(kind, "text"))
        gs_buf_slice(b, gs_dialect_peek_string(source, "data"));
    else if (gs_slice_eq_str(kind, "content"))
        write_content(gs_json_get(source, "content"), b);
    else if (gs_slice_eq_str(kind, "url"))
        gs_dialect_reader_fail(&m->r, "a document is not fetched from a URL: send its text");
    else if (gs_slice_eq_str(type, "application/pdf"))
        gs_dialect_reader_fail(&m->r, "this server does not support PDF input: send its text");
    else
        gs_dialect_reader_fail(&m->r, "a document of type \"%.*s\" cannot be read: send its text",
                               (int)GS_MIN(type.len ? type.len : kind.len, 100),
                               type.len   ? type.ptr
                               : kind.len ? kind.ptr
                                          : "");
}

static void write_search_result(const struct gs_json *block, struct gs_buf *b)
{
    write_heading(block, "source", "Source: ", b);
    write_heading(block, "title", "Title: ", b);
    write_content(gs_json_get(block, "content"), b);
}

void gs_dialect_anthropic_text(struct gs_dialect_messages *m, const struct gs_json *block,
                               struct gs_buf *b)
{
    if (gs_dialect_anthropic_is(block, "text"))
        gs_buf_slice(b, gs_dialect_peek_string(block, "text"));
    else if (gs_dialect_anthropic_is(block, "tool_reference"))
        write_reference(m, block, b);
    else if (gs_dialect_anthropic_is(block, "document"))
        write_document(m, block, b);
    else if (gs_dialect_anthropic_is(block, "search_result"))
        write_search_result(block, b);
    else if (gs_dialect_anthropic_is(block, "compaction"))
        write_content(gs_json_get(block, "content"), b);
}

/* ---- results ---- */

static void write_result(struct gs_dialect_messages *m, const struct gs_json *v, struct gs_buf *b);

/* What a server's tool gave back: its readable members, a line each. The rest is for that server
 * (encrypted_content) or for programs. */
static void write_servers(struct gs_dialect_messages *m, const struct gs_json *v, struct gs_buf *b)
{
    static const char *const lines[] = {"title", "url", "stdout", "stderr", "error_code"};
    static const char *const parts[] = {"tool_references", "content"};

    for (size_t i = 0; i < GS_COUNT_OF(lines); i++)
        write_heading(v, lines[i], "", b);
    for (size_t i = 0; i < GS_COUNT_OF(parts); i++)
        if (gs_json_get(v, parts[i]))
            write_result(m, gs_json_get(v, parts[i]), b);
}

/* A value of a result; those of an array in lines of their own. */
static void write_result(struct gs_dialect_messages *m, const struct gs_json *v, struct gs_buf *b)
{
    if (v->kind == GS_JSON_STRING) {
        gs_buf_slice(b, v->u.string);
    } else if (v->kind == GS_JSON_ARRAY) {
        for (size_t i = 0, start = b->len; i < v->u.array.len; i++) {
            const size_t before = b->len;
            if (before > start)
                gs_buf_putc(b, '\n');
            const size_t line = b->len;
            write_result(m, &v->u.array.items[i], b);
            gs_dialect_reader_at(&m->r, "content", i);
            if (b->len == line && gs_buf_ok(b))
                b->len = before; /* nothing to say, no line for it */
        }
    } else if (v->kind == GS_JSON_OBJECT) {
        const size_t before = b->len;
        gs_dialect_anthropic_text(m, v, b);
        if (b->len == before)
            write_servers(m, v, b);
    }
}

struct gs_slice gs_dialect_anthropic_result(struct gs_dialect_messages *m,
                                            const struct gs_json *content)
{
    struct gs_buf b;

    if (!content || content->kind == GS_JSON_STRING)
        return content ? content->u.string : gs_slice(NULL, 0);
    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    write_result(m, content, &b);
    const struct gs_slice out = gs_dialect_keep(&m->r, &b);
    gs_buf_clear(&b);
    return out;
}
