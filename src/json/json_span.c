/* Where the values of a text stand, without building a tree: for those who change one of them and
 * leave every other byte as it is. */

#include "base/slice.h"
#include "json/json.h"

/* The end of the string that begins at `pos`, or SIZE_MAX. */
static size_t string_end(struct gs_slice s, size_t pos)
{
    for (size_t i = pos + 1; i < s.len; i++) {
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '"')
            return i + 1;
    }
    return SIZE_MAX;
}

static size_t skip_space(struct gs_slice s, size_t pos)
{
    while (pos < s.len &&
           (s.ptr[pos] == ' ' || s.ptr[pos] == '\t' || s.ptr[pos] == '\n' || s.ptr[pos] == '\r'))
        pos++;
    return pos;
}

/* The end of the value that begins at `pos`, or SIZE_MAX: brackets are counted, not matched. */
static size_t value_end(struct gs_slice s, size_t pos)
{
    size_t depth = 0;

    for (size_t i = pos; i < s.len; i++) {
        const char c = s.ptr[i];
        if (c == '"') {
            i = string_end(s, i);
            if (i == SIZE_MAX)
                return SIZE_MAX;
            if (depth == 0)
                return i;
            i--;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']' || (c == ',' && depth == 0)) {
            if (depth == 0)
                return i;
            if (--depth == 0)
                return i + 1;
        }
    }
    return SIZE_MAX;
}

/* The value at `*pos`, which moves to what follows it: to SIZE_MAX behind the last. */
static bool take_value(struct gs_slice s, size_t *pos, struct gs_slice *out)
{
    const size_t begin = skip_space(s, *pos);
    const size_t end = value_end(s, begin);

    if (end == SIZE_MAX || end == begin)
        return false;
    *out = gs_slice(s.ptr + begin, end - begin);
    const size_t next = skip_space(s, end);
    *pos = next < s.len && s.ptr[next] == ',' ? next + 1 : SIZE_MAX;
    return true;
}

/* Into the brackets, if they are these. */
static bool enter(struct gs_slice s, char bracket, size_t *pos)
{
    const size_t at = skip_space(s, 0);

    if (*pos == 0 && at < s.len && s.ptr[at] == bracket)
        *pos = at + 1;
    return *pos > 0 && *pos < s.len;
}

bool gs_json_next_item(struct gs_slice text, size_t *pos, struct gs_slice *out_item)
{
    return enter(text, '[', pos) && take_value(text, pos, out_item);
}

bool gs_json_next_member(struct gs_slice text, size_t *pos, struct gs_slice *out_name,
                         struct gs_slice *out_value)
{
    if (!enter(text, '{', pos))
        return false;
    const size_t begin = skip_space(text, *pos);
    const size_t end =
        begin < text.len && text.ptr[begin] == '"' ? string_end(text, begin) : SIZE_MAX;
    const size_t colon = end == SIZE_MAX ? text.len : skip_space(text, end);
    if (colon >= text.len || text.ptr[colon] != ':')
        return false;
    *out_name = gs_slice(text.ptr + begin + 1, end - begin - 2);
    *pos = colon + 1;
    return take_value(text, pos, out_value);
}

bool gs_json_find_member(struct gs_slice text, const char *key, struct gs_slice *out_value)
{
    struct gs_slice name, value;
    bool is_found = false;
    size_t pos = 0;

    while (gs_json_next_member(text, &pos, &name, &value)) {
        if (gs_slice_eq_str(name, key)) {
            *out_value = value;
            is_found = true;
        }
    }
    return is_found;
}
