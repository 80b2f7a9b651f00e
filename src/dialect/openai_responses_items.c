/* OpenAI Responses, items: what was said so far, as a flat list in which a turn of the model is
 * several items (https://platform.openai.com/docs/api-reference/responses/create, "input"). Here
 * items become messages again: what the model said between two words of others is one message,
 * results of tools are another.
 *
 * Items come from the request, from answers kept earlier that it builds on (previous_response_id)
 * and from those it names one by one (item_reference). What is not known is passed over. */
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/openai_chat.h"
#include "dialect/openai_responses.h"

struct items_reader {
    struct gs_dialect_reader *r;
    struct gs_dialect_responses_keeper *kept;
    bool is_open;      /* blocks wait for more of the same turn */
    enum gs_role role; /* of that turn */
};

static bool type_is(const struct gs_json *item, const char *type)
{
    return gs_slice_eq_str(gs_dialect_peek_string(item, "type"), type);
}

static bool type_ends(const struct gs_json *item, const char *tail)
{
    return gs_slice_ends(gs_dialect_peek_string(item, "type"), gs_slice_str(tail));
}

/* ---- turns ---- */

static void end_turn(struct items_reader *m)
{
    if (m->is_open && m->r->n_blocks > 0)
        gs_dialect_end_message(m->r, m->role);
    m->is_open = false;
}

/* The item belongs to a turn of `role`, which its neighbours may have begun. */
static void join_turn(struct items_reader *m, enum gs_role role)
{
    if (m->is_open && m->role != role)
        end_turn(m);
    m->is_open = true;
    m->role = role;
}

/* ---- content ---- */

/* What of a part reads as text. */
static struct gs_slice part_text(const struct gs_json *part)
{
    if (part->kind == GS_JSON_STRING)
        return part->u.string;
    return gs_dialect_peek_string(part, type_is(part, "refusal") ? "refusal" : "text");
}

/* A file is taken if its data is text: "data:text/plain;base64,...". */
static void read_file(struct gs_dialect_reader *r, const struct gs_json *part)
{
    const struct gs_slice data = gs_dialect_peek_string(part, "file_data");
    const struct gs_slice mark = GS_SLICE_LIT(";base64,");
    const size_t at = gs_slice_find(data, mark, 0);

    if (at == SIZE_MAX || !gs_slice_starts(data, GS_SLICE_LIT("data:text/")))
        gs_dialect_reader_fail(r, "a file that is no text cannot be read here: send its text");
    else
        gs_dialect_add_text(
            r, GS_BLOCK_TEXT,
            gs_dialect_decode_base64(r, gs_slice_sub(data, at + mark.len, data.len)));
}

/* A part that is no text. Kinds that nobody knows are passed over. */
static void read_other(struct gs_dialect_reader *r, const struct gs_json *part)
{
    const struct gs_json *image = gs_json_get(part, "image_url");

    if (image && image->kind == GS_JSON_STRING)
        gs_dialect_add_image(r, image->u.string);
    else if (image && image->kind == GS_JSON_OBJECT)
        gs_dialect_add_image(r, gs_dialect_peek_string(image, "url"));
    else if (type_is(part, "input_image"))
        gs_dialect_reader_fail(r, "files are not kept here: send the image itself");
    else if (type_is(part, "input_file"))
        read_file(r, part);
    else if (type_is(part, "input_audio"))
        gs_dialect_reader_fail(r, "models here do not take audio");
}

static void read_part(struct gs_dialect_reader *r, const struct gs_json *part)
{
    const struct gs_slice text = part_text(part);

    if (text.len)
        gs_dialect_add_text(r, GS_BLOCK_TEXT, text);
    else
        read_other(r, part);
}

/* The texts of parts of this type, joined. */
static struct gs_slice join_texts(struct gs_dialect_reader *r, const struct gs_json *parts,
                                  const char *type, const char *between)
{
    const size_t n = parts && parts->kind == GS_JSON_ARRAY ? parts->u.array.len : 0;
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    for (size_t i = 0; i < n; i++) {
        const struct gs_json *part = &parts->u.array.items[i];
        const struct gs_slice text = part_text(part);
        if (!text.len || (type && !type_is(part, type)))
            continue;
        if (b.len)
            gs_buf_puts(&b, between);
        gs_buf_slice(&b, text);
    }
    const struct gs_slice out = b.len || b.failed ? gs_dialect_keep(r, &b) : gs_slice(NULL, 0);
    gs_buf_clear(&b);
    return out;
}

/* ---- items ---- */

static void read_message(struct items_reader *m, const struct gs_json *item)
{
    const struct gs_slice role = gs_dialect_peek_string(item, "role");
    const struct gs_json *content = gs_json_get(item, "content");

    if (gs_slice_eq_str(role, "assistant")) {
        join_turn(m, GS_ROLE_ASSISTANT);
        gs_dialect_read_content(m->r, content, read_part);
        return;
    }
    end_turn(m);
    gs_dialect_read_content(m->r, content, read_part);
    if (gs_slice_eq_str(role, "user"))
        gs_dialect_end_message(m->r, GS_ROLE_USER);
    else if (gs_slice_eq_str(role, "system") || gs_slice_eq_str(role, "developer"))
        gs_dialect_end_message(m->r, GS_ROLE_SYSTEM);
    else
        gs_dialect_reader_fail(m->r, "role: expected \"system\", \"developer\", \"user\" or "
                                     "\"assistant\"");
}

static void read_reasoning(struct items_reader *m, const struct gs_json *item)
{
    struct gs_slice text = join_texts(m->r, gs_json_get(item, "content"), "reasoning_text", "\n");

    if (!text.len)
        text = join_texts(m->r, gs_json_get(item, "summary"), NULL, "\n\n");
    join_turn(m, GS_ROLE_ASSISTANT);
    gs_dialect_add_reasoning(m->r, text, gs_dialect_peek_string(item, "encrypted_content"));
}

/* Which call an item is, or answers; some kinds have only the id of the item itself. */
static struct gs_slice call_id(const struct gs_json *item)
{
    const struct gs_slice id = gs_dialect_peek_string(item, "call_id");

    return id.len ? id : gs_dialect_peek_string(item, "id");
}

/* {"input": text} of a custom tool; other kinds of calls say what to do in `action` or the like. */
static struct gs_slice call_args(struct gs_dialect_reader *r, const struct gs_json *item)
{
    static const char *const keys[] = {"action", "operation", "arguments"};
    const struct gs_json *input = gs_json_get(item, "input");

    for (size_t i = 0; i < GS_COUNT_OF(keys); i++) {
        if (gs_dialect_has(item, keys[i]))
            return gs_dialect_read_args(r, gs_json_get(item, keys[i]));
    }
    if (!input || input->kind != GS_JSON_STRING)
        return gs_dialect_read_args(r, input);
    return gs_dialect_openai_custom_args(r, input->u.string);
}

static void read_call(struct items_reader *m, const struct gs_json *item)
{
    const struct gs_slice type = gs_dialect_peek_string(item, "type");
    const struct gs_slice args = call_args(m->r, item);
    struct gs_slice name = gs_dialect_peek_string(item, "name");

    if (!name.len) /* "local_shell_call" */
        name = gs_slice_sub(type, 0, type.len - (sizeof("_call") - 1));
    name = gs_dialect_responses_flat(m->r, gs_dialect_peek_string(item, "namespace"), name);
    join_turn(m, GS_ROLE_ASSISTANT);
    struct gs_block *b = gs_dialect_add_block(m->r, GS_BLOCK_TOOL_CALL);
    if (!b)
        return;
    b->id = call_id(item);
    b->name = name;
    b->args = args;
}

/* A string, parts of a content, or, of kinds not known here, any JSON. */
static struct gs_slice output_text(struct gs_dialect_reader *r, const struct gs_json *output)
{
    if (!output || output->kind == GS_JSON_NULL)
        return gs_slice(NULL, 0);
    if (output->kind == GS_JSON_STRING)
        return output->u.string;
    if (output->kind == GS_JSON_ARRAY &&
        (output->u.array.len == 0 || gs_dialect_has(&output->u.array.items[0], "type")))
        return join_texts(r, output, NULL, "\n");
    return gs_dialect_json_text(r, output);
}

static void read_output(struct items_reader *m, const struct gs_json *item)
{
    const struct gs_json *output = gs_json_get(item, "output");
    const struct gs_slice text = output_text(m->r, output);

    join_turn(m, GS_ROLE_TOOL);
    struct gs_block *b = gs_dialect_add_block(m->r, GS_BLOCK_TOOL_RESULT);
    if (!b)
        return;
    b->text = text;
    b->id = call_id(item);
    for (size_t i = 0; output && output->kind == GS_JSON_ARRAY && i < output->u.array.len; i++) {
        read_other(m->r, &output->u.array.items[i]);
        gs_dialect_reader_at(m->r, "output", i);
    }
}

static void read_item(struct items_reader *m, const struct gs_json *item)
{
    if (item->kind != GS_JSON_OBJECT)
        gs_dialect_reader_fail(m->r, "expected an object, found %s", gs_json_kind_name(item->kind));
    else if (type_is(item, "message") ||
             (!gs_dialect_has(item, "type") && gs_dialect_has(item, "role")))
        read_message(m, item);
    else if (type_is(item, "reasoning"))
        read_reasoning(m, item);
    else if (type_is(item, "function_call") || type_is(item, "local_shell_call") ||
             (type_ends(item, "_call") && gs_dialect_has(item, "call_id")))
        read_call(m, item);
    else if (type_ends(item, "_call_output"))
        read_output(m, item);
}

/* ---- what was kept ---- */

/* The item itself, or the one it refers to; NULL after a failure. */
static const struct gs_json *resolve(struct items_reader *m, const struct gs_json *item)
{
    const bool is_lone = item->kind == GS_JSON_OBJECT && item->u.object.len == 1;
    const struct gs_slice id = gs_dialect_peek_string(item, "id");

    if (!type_is(item, "item_reference") && !(is_lone && id.len))
        return item;
    const struct gs_json *found = gs_dialect_responses_item(m->kept, id);
    if (!found && m->r->status == GS_OK) {
        m->r->status = gs_error_set(m->r->err, GS_ENOTFOUND, "there is no item \"%.*s\"",
                                    (int)GS_MIN(id.len, 100), id.len ? id.ptr : "");
        gs_error_hint(m->r->err, "Responses are kept in memory, the latest ones, unless \"store\" "
                                 "is false; send the items themselves.");
        gs_error_pos(m->r->err, "item_not_found", 0, 0);
    }
    return found;
}

static void fail_previous(struct gs_dialect_reader *r, struct gs_slice id)
{
    if (r->status != GS_OK)
        return;
    gs_dialect_reader_fail(r,
                           "previous_response_id: response \"%.*s\", or one that it builds on, is "
                           "not here",
                           (int)GS_MIN(id.len, 100), id.ptr);
    gs_error_hint(r->err, "Responses are kept in memory, the latest ones; send the whole "
                          "conversation.");
    gs_error_pos(r->err, "previous_response_not_found", 0, 0);
}

static void read_kept(struct items_reader *m, const struct gs_json *items)
{
    for (size_t i = 0; i < items->u.array.len && m->r->status == GS_OK; i++)
        read_item(m, &items->u.array.items[i]);
}

/* The conversation up to the response `id`, oldest first. */
static void read_previous(struct items_reader *m, struct gs_slice id)
{
    bool is_whole;
    const struct gs_dialect_responses_kept *k = gs_dialect_responses_chain(m->kept, id, &is_whole);

    if (!is_whole)
        fail_previous(m->r, id);
    for (; k; k = k->next) {
        read_kept(m, k->input);
        read_kept(m, k->output);
    }
}

/* ---- input ---- */

/* A string is what the user says. */
static void read_string(struct items_reader *m, struct gs_slice text, struct gs_buf *kept)
{
    end_turn(m);
    gs_dialect_add_text(m->r, GS_BLOCK_TEXT, text);
    gs_dialect_end_message(m->r, GS_ROLE_USER);
    gs_buf_puts(kept, "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":"
                      "\"input_text\",\"text\":");
    gs_json_write_string(kept, text);
    gs_buf_puts(kept, "}]}");
}

static void read_array(struct items_reader *m, const struct gs_json *items, bool is_kept,
                       struct gs_buf *kept)
{
    for (size_t i = 0; i < items->u.array.len && m->r->status == GS_OK; i++) {
        const struct gs_json *item = resolve(m, &items->u.array.items[i]);
        if (item)
            read_item(m, item);
        gs_dialect_reader_at(m->r, "input", i);
        if (!item || !is_kept)
            continue;
        if (i > 0)
            gs_buf_putc(kept, ',');
        gs_json_write(kept, item);
    }
}

static void read_input(struct items_reader *m, const struct gs_json *input,
                       struct gs_dialect_responses_request *own)
{
    struct gs_buf kept;

    gs_buf_init(&kept, GS_MAX_TEXT_BYTES);
    gs_buf_putc(&kept, '[');
    if (input && input->kind == GS_JSON_STRING)
        read_string(m, input->u.string, &kept);
    else if (input && input->kind == GS_JSON_ARRAY)
        read_array(m, input, own->is_kept, &kept);
    else
        gs_dialect_reader_fail(m->r, "input: expected a string or an array, found %s",
                               input ? gs_json_kind_name(input->kind) : "nothing");
    gs_buf_putc(&kept, ']');
    if (own->is_kept)
        own->input = gs_dialect_keep(m->r, &kept);
    gs_buf_clear(&kept);
}

void gs_dialect_responses_items(struct gs_dialect_reader *r, const struct gs_dialect_store *store,
                                const struct gs_json *body,
                                struct gs_dialect_responses_request *own)
{
    struct gs_dialect_responses_keeper kept = {.r = r, .store = store};
    struct items_reader m = {.r = r, .kept = &kept};

    gs_map_init(&kept.by_id, 0);
    if (own->previous.len)
        read_previous(&m, own->previous);
    read_input(&m, gs_json_get(body, "input"), own);
    end_turn(&m);
    own->builds_on = kept.by_id.len > 0;
    gs_map_clear(&kept.by_id);
}
