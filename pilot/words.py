"""Word lists the generator draws from."""

NAMES = """Anna Peter Tom Maria John Lisa Max Sara Paul Emma David Julia Omar Mei Ben Laura Igor Nina Alex Kim Ada
Alan Grace Linus Dennis Ken Barbara Edsger Margaret Tim Rosa Carlos Fatima Hiro Yuki Lena Oskar Freya Ivan Olga
Priya Ravi Amir Leila Chen Wei Noah Mia Liam Ella Hugo Clara Felix Greta Samuel Ruth Victor Iris Marco Elena Jonas
Marta Pedro Lucia Sven Astrid Tomas Zoe Adam Eve Hannah Erik Nadia Bruno Alice Bob Carol Dave""".split()
LAST = """Smith Jones Miller Brown Garcia Kim Lee Novak Rossi Weber Fischer Silva Santos Khan Singh Tanaka Sato Wang
Li Ivanov Petrov Larsen Hansen Berg Novotny Kowalski Nagy Costa Moreau Dubois""".split()
CITIES = """Berlin London Paris Madrid Rome Vienna Oslo Tokyo Kyoto Seoul Delhi Mumbai Cairo Lagos Nairobi Lima
Bogota Quito Boston Chicago Denver Dallas Seattle Toronto Montreal Sydney Perth Prague Warsaw Dublin Lisbon Porto
Athens Zurich Geneva Munich Hamburg Cologne Bremen Leipzig Milan Naples Turin Lyon Nice Brussels Antwerp Ghent
Helsinki Riga Tallinn Vilnius Budapest Sofia Zagreb Bern Basel Graz Stockholm Malmo Bergen Aarhus Hanoi Manila
Jakarta Bangkok Taipei Osaka Nagoya Austin Portland Phoenix Miami Atlanta Houston""".split() + [
    "New York", "San Francisco", "Los Angeles", "Cape Town", "Buenos Aires", "Hong Kong", "Sao Paulo", "Mexico City",
    "New Delhi", "Rio de Janeiro", "Kuala Lumpur", "Tel Aviv", "St. Louis"]
COUNTRIES = """France Germany Spain Italy Japan China India Brazil Canada Egypt Kenya Peru Chile Norway Sweden Finland
Poland Greece Turkey Mexico Cuba Iran Iraq Nepal Mongolia Iceland Ireland Portugal Austria Hungary Romania
Bulgaria Vietnam Thailand Australia Argentina Colombia Nigeria Ghana Morocco""".split()
ANIMALS = """cat dog horse cow pig sheep goat wolf bear fox lion tiger elephant mouse rabbit owl eagle duck goose
swan frog snake turtle shark whale dolphin salmon bee ant spider deer otter badger hedgehog camel zebra""".split()
FRUITS = "apple banana cherry grape lemon mango orange peach pear plum melon kiwi fig lime papaya apricot".split()
COLOURS = "red blue green yellow black white orange purple brown pink grey".split()
PLANETS = "Mercury Venus Earth Mars Jupiter Saturn Uranus Neptune".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
VEGETABLES = "carrot potato tomato onion cabbage leek spinach pea bean pepper cucumber garlic".split()
METALS = "iron copper gold silver tin lead zinc nickel aluminium".split()
THINGS = """book lamp table chair window door garden river mountain bridge train ship bicycle car house tree stone
bottle cup plate knife clock mirror carpet pencil paper letter ticket engine hammer ladder rope basket candle coat
hat shoe glove ring drum piano violin guitar trumpet kite ball bell key lock box bag map coin stamp flag sword
shield crown tower castle church school market harbour island forest field cloud storm snow wind fire water salt
sugar bread butter cheese milk honey tea coffee soup cake""".split()
ADJECTIVES = """old new small big quick slow red blue quiet loud bright dark cold warm soft hard heavy light round
flat sharp sweet bitter clean dirty empty full open broken simple strange common rare""".split()
VERBS = """get find search list create add update set delete remove send read write open close start stop check
fetch load save move copy rename count sort convert translate book cancel order schedule calculate compute play
pause show query lookup upload download turn enable disable reserve track print resize compress encrypt validate
publish subscribe archive restore merge split assign approve reject invite notify scan ping deploy build test
run execute inspect export import sync refresh reset register measure estimate compare rate rank tag label""".split()
NOUNS = """weather forecast file folder user account order invoice payment ticket flight hotel room table restaurant
reminder alarm timer event meeting calendar message email contact note task project issue commit branch page
document image photo video song playlist album movie book product price stock currency rate route distance location
map address package shipment device light lamp thermostat temperature door lock camera sensor server service log
database record row query report chart metric backup job queue container image volume network port domain
certificate key token password session profile comment review rating recipe ingredient meal workout step heart sleep
train bus taxi car bike parking station class course student grade quiz word definition synonym translation joke
quote news article feed score team match player game level coupon cart item category customer vendor contract
employee shift salary expense budget tax loan""".split()
PROGRAMS = """git nginx vim emacs mysql postgres excel word powerpoint photoshop wordpress react angular jenkins ansible
terraform latex blender gimp outlook teams slack zoom steam minecraft whatsapp telegram spotify netflix facebook
instagram youtube linkedin django flask spring pandas numpy matplotlib mongodb rabbitmq elasticsearch apache tomcat
iptables samba bluetooth firefox thunderbird libreoffice audacity ffmpeg imagemagick tmux rsync crontab grub btrfs zfs
gnome kde wayland pulseaudio cups virtualbox vmware qemu wireguard haskell prolog cobol fortran scala lua""".split()
PEOPLE = """Napoleon|Einstein|Mozart|Shakespeare|Cleopatra|Goethe|Newton|Darwin|Marie Curie|Bach|Picasso|Gandhi|Caesar
Aristotle|Beethoven|Churchill|Columbus|Kafka|Tolstoy|Plato|Galileo|Van Gogh|Ada Lovelace|Alan Turing|Madonna|Elvis
Messi|Taylor Swift|Obama|Lincoln|Mandela|Dante""".replace("\n", "|").split("|")
DISHES = """pizza pasta risotto pancakes goulash curry sushi lasagne ratatouille paella pierogi hummus bread omelette
chili tiramisu dumplings gnocchi waffles ramen stew brownies""".split()
DEVICES = """printer car bike dishwasher toaster television heater fridge oven camera headphones guitar drill
motorcycle watch keyboard mouse monitor lawnmower radio vacuum boiler""".split()
SUBJECTS = """history music politics football physics chemistry biology geography philosophy astronomy economics law
medicine cooking gardening fishing yoga fashion mythology religion theatre opera ballet chess poker tennis sailing
grammar poetry psychology sociology archaeology dinosaurs volcanoes earthquakes vikings pyramids knights dragons
vampires marketing taxes insurance""".split()
UNITS = ["celsius", "fahrenheit", "kelvin", "metric", "imperial", "km", "miles", "meters", "kg", "pounds"]
SENTENCES = """The cat sleeps on the warm stone.|A small light burned in the window.|The train left at seven.
She opened the letter and smiled.|We walked along the river until dark.|The old clock has stopped again.
Bread and cheese are on the table.|Nobody heard the bell that night.|The storm broke the tallest tree.
He keeps his money in a tin box.|The ship came home with the morning wind.|Two dogs were chasing a red ball.
My brother lives in a house by the sea.|The soup is too hot to eat.|They painted the door green.
Snow fell all day and all night.|The market opens at eight on Monday.|I lost my key in the garden.
The teacher wrote a word on the wall.|A fox ran across the empty field.""".replace("\n", "|").split("|")

CONSONANTS, VOWELS = "bcdfghjklmnprstvwz", "aeiou"
PIECES = []  # the vocabulary's, once there is one: a token that no word has is copied only by who has seen it copied


def nonce(rng, syllables=None):
    """A word nobody knows."""
    if PIECES and rng.random() < 0.6:
        return "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 3)))
    out = ""
    for _ in range(syllables or rng.randint(2, 3)):
        out += rng.choice(CONSONANTS) + rng.choice(VOWELS)
        if rng.random() < 0.25:
            out += rng.choice("nrslmx")
    return out
