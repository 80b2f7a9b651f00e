/* Where a member stands in the text of an object, without building a tree: for those who change one
 * value and leave every other byte as it is. */
#include <string.h>

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

bool gs_json_find_member(struct gs_slice text, const char *key, struct gs_slice *out_value)
{
    const struct gs_slice wanted = gs_slice_str(key);
    size_t pos = skip_space(text, 0);
    bool is_found = false;

    if (pos >= text.len || text.ptr[pos] != '{')
        return false;
    for (pos = skip_space(text, pos + 1); pos < text.len && text.ptr[pos] == '"';
         pos = skip_space(text, pos + 1)) {
        const size_t name_end = string_end(text, pos);
        if (name_end == SIZE_MAX)
            return false;
        const struct gs_slice name = gs_slice(text.ptr + pos + 1, name_end - pos - 2);
        const size_t colon = skip_space(text, name_end);
        if (colon >= text.len || text.ptr[colon] != ':')
            return false;
        const size_t begin = skip_space(text, colon + 1);
        const size_t end = value_end(text, begin);
        if (end == SIZE_MAX)
            return false;
        if (name.len == wanted.len && memcmp(name.ptr, wanted.ptr, name.len) == 0) {
            *out_value = gs_slice(text.ptr + begin, end - begin);
            is_found = true;
        }
        pos = skip_space(text, end);
        if (pos >= text.len || text.ptr[pos] != ',')
            break;
    }
    return is_found;
}
