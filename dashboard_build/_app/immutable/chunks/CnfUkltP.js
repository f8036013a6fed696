import{B as a}from"./Dy6XhJBg.js";a();
